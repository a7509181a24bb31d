package corpus

var (
	firstNames = []string{"Anna", "Ben", "Chiara", "David", "Elif", "Fatima", "Giulia", "Hans", "Ines", "Jürgen", "Katarzyna", "Liam",
		"Mei", "Noah", "Olga", "Pedro", "Quentin", "Rosa", "Søren", "Tomáš", "Uma", "Valérie", "Wei", "Ximena", "Yuki", "Zoë", "伟", "芳", "秀英"}
	lastNames = []string{"Andersen", "Bauer", "Costa", "Dubois", "Eriksson", "Ferrari", "García", "Horváth", "Ivanova", "Jansen", "Kowalski",
		"Lindqvist", "Müller", "Nguyen", "O'Brien", "Petrov", "Quinn", "Rossi", "Schmidt", "Tanaka", "Unger", "Vargas", "Weber", "Yılmaz",
		"Zhang", "王", "李", "张"}
	cities = []string{"Amsterdam", "Berlin", "Córdoba", "Dublin", "Essen", "Firenze", "Göteborg", "Hamburg", "İzmir", "Kraków", "Lyon", "München",
		"Nantes", "Oslo", "Porto", "Québec", "Rotterdam", "São Paulo", "Toronto", "Utrecht", "Vienna", "Warszawa", "Zürich", "上海", "深圳"}
	streets = []string{"Main Street", "Hauptstraße", "Rue de la République", "Via Roma", "Calle Mayor", "Station Road", "Parkweg", "Elm Avenue",
		"Lindenallee", "King's Road", "Bahnhofstr.", "中山路"}
	products = []string{"ceramic teapot", "walnut desk", "running shoes", "rain jacket", "espresso grinder", "noise reducing headphones",
		"linen shirt", "trail backpack", "desk lamp", "cast iron pan", "yoga mat", "bluetooth speaker", "wool socks", "mechanical keyboard",
		"garden hose", "paint brush set", "bike helmet", "phone case", "reading glasses", "water bottle", "USB-C cable", "picture frame",
		"board game", "tent for 2 persons", "olive oil", "notebook A5", "screwdriver set", "winter tires", "baby monitor", "coffee beans 1 kg"}
	adjectives = []string{"blue", "red", "small", "large", "XL", "organic", "vintage", "waterproof", "men's", "women's", "kids", "cheap", "refurbished",
		"handmade", "black & white", "50% off", "under 20€", "new", "foldable", "wireless"}
	categories = []string{"home-garden", "shoes", "outdoor", "kitchen", "electronics", "toys", "office", "sports", "fashion", "books", "tools", "grocery"}
	sentences  = []string{"Arrived two days early and works as described.", "The color is a bit darker than in the picture, but I like it.",
		"Please leave the parcel with the neighbor.", "Can I select a different delivery date?", "Great value for money; I'd buy it again!",
		"The zipper broke after a week (see photo).", "Size runs small - order one size up.", "Is there an update on order status?",
		"Danke für die schnelle Lieferung!", "Très bon produit, bien fini.", "质量很好,发货很快。", "Union of style and comfort, where design meets function.",
		"If you drop it from 1 m, the table top won't scratch.", "Call me between 9 and 11, or after 17:00.", "Insert the battery and press \"start\" -> done.",
		"Rated 4/5 * * * *", "Meeting moved to room 3.14; agenda below.", "The script for the play is on page 12."}
	domains  = []string{"example.com", "example.org", "example.net", "mail.example", "post.example"}
	sites    = []string{"shop.example.com", "www.shop.example", "store.example.org", "m.shop.example.net", "outlet.example"}
	apiHosts = []string{"api.example.com", "orders.svc.cluster.local", "gateway.internal", "billing.prod.svc", "inventory:8080", "users.default.svc:8443"}
	services = []string{"orders", "users", "invoices", "shipments", "inventory", "payments", "notifications", "catalog", "pricing", "reviews", "sessions",
		"devices", "tickets", "projects", "reports"}
	namespaces = []string{"default", "kube-system", "monitoring", "shop-prod", "shop-staging", "payments", "ingress-nginx", "cert-manager", "argocd", "istio-system"}
	workloads  = []string{"checkout", "cart", "catalog", "frontend", "postgres", "redis-cache", "worker", "mailer", "search", "gateway", "auth-proxy", "exporter"}
	nodes      = []string{"node-a1", "node-a2", "node-b1", "ip-10-4-3-17.eu-west-1.compute.internal", "aks-pool1-33071-vmss000002", "worker-07"}
	countries  = []string{"DE", "FR", "NL", "US", "CN", "BR", "PL", "IT", "SE", "TR", "CH", "JP"}
	languages  = []string{"en-US,en;q=0.9", "de-DE,de;q=0.9,en;q=0.8", "fr-FR,fr;q=0.9,en-US;q=0.8,en;q=0.7", "zh-CN,zh;q=0.9", "pl", "tr-TR,tr;q=0.9", "es-ES,es;q=0.8,en;q=0.5"}
	states     = []string{"pending", "paid", "packed", "shipped", "delivered", "returned", "active", "draft", "archived"}
	sorts      = []string{"created_at", "-created_at", "price", "price_desc", "name", "rating:desc", "updated"}
	campaigns  = []string{"summer_sale", "newsletter-2024-05", "retargeting", "brand", "black friday", "spring%2Dlaunch"}
	fileNames  = []string{"holiday photo.jpg", "invoice-2024-05.pdf", "CV (final).docx", "report_q2.xlsx", "IMG_20240530_071648.jpg", "logo.svg", "backup plan.txt",
		"contract v2 [signed].pdf", "screenshot.png", "données.csv", "合同.pdf", "team.meeting.notes.md"}
)
