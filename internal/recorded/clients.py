"""Sends what programs in Python send to servers: clients of the web and tools of operators, as far as they are installed.

Arguments: which kind, and the address of a server that answers.
"""
import base64, http.client, json, sys, urllib.parse, urllib.request

KIND, ADDRESS = sys.argv[1], sys.argv[2]
URL = "http://" + ADDRESS
HOST, PORT = ADDRESS.split(":")


def attempt(call):
    try:
        call()
    except Exception:  # answers of the server are no product's
        pass


def urllib_client():
    attempt(lambda: urllib.request.urlopen(URL + "/api/items?page=2&sort=-price"))
    attempt(lambda: urllib.request.urlopen(urllib.request.Request(URL + "/api/items", json.dumps({"name": "desk", "price": 129.9}).encode(),
                                                                  {"Content-Type": "application/json"})))
    attempt(lambda: urllib.request.urlopen(URL + "/form", urllib.parse.urlencode({"name": "O'Hara & Söhne", "note": "a <b> c; d"}).encode()))


def rabbitmqadmin():  # what RabbitMQ's rabbitmqadmin sends: http.client, no agent, Basic
    for user in ("guest:guest", "backup:th3b4ckup"):
        headers = {"Authorization": "Basic " + base64.b64encode(user.encode()).decode()}
        for method, path, body in (("GET", "/api/overview", ""), ("GET", "/api/queues?columns=name,messages", ""), ("GET", "/api/exchanges/%2F", ""),
                                   ("PUT", "/api/queues/%2F/orders", '{"durable":true,"arguments":{}}'),
                                   ("POST", "/api/exchanges/%2F/amq.default/publish", '{"routing_key":"orders","payload":"hello","properties":{},"payload_encoding":"string"}')):
            c = http.client.HTTPConnection(HOST, int(PORT))
            c.request(method, path, body, dict(headers, **({"Content-Type": "application/json"} if body else {})))
            c.getresponse().read()
    c = http.client.HTTPConnection(HOST, int(PORT))
    c.request("GET", "/api/definitions", "", headers)
    c.getresponse().read()


def requests_client():
    import requests
    s = requests.Session()
    attempt(lambda: s.get(URL + "/api/users/me", headers={"Authorization": "Bearer 9f8e7d6c5b4a39281706f5e4d3c2b1a0"}))
    attempt(lambda: s.post(URL + "/api/orders", json={"items": [{"sku": "A-1", "n": 2}], "note": "leave at the door; ring twice"}))
    attempt(lambda: s.put(URL + "/api/orders/17", json={"state": "paid", "at": "2026-05-30T07:16:48Z"}))
    attempt(lambda: s.patch(URL + "/api/orders/17", json=[{"op": "replace", "path": "/state", "value": "sent"}]))
    attempt(lambda: s.delete(URL + "/api/orders/17"))
    attempt(lambda: s.post(URL + "/upload", files={"file": ("report.csv", "id,total\n1,9.90\n2,12.00\n", "text/csv")}, data={"title": "May"}))
    attempt(lambda: s.get(URL + "/search", params={"q": "select a desk from the union of both lists", "filter": "price>=10 and price<20"}))
    query = "query Items($n: Int!) { items(first: $n, orderBy: {field: PRICE, direction: DESC}) { edges { node { id name price } } } }"
    attempt(lambda: s.post(URL + "/graphql", json={"query": query, "variables": {"n": 20}, "operationName": "Items"}))


def httpx_client():
    import httpx
    with httpx.Client() as c:
        attempt(lambda: c.get(URL + "/v1/projects", params={"order": "name", "limit": 50}))
        attempt(lambda: c.post(URL + "/v1/projects", json={"name": "Ünïcode ✓", "tags": ["a", "b"]}))
        attempt(lambda: c.request("DELETE", URL + "/v1/projects/9"))


def aiohttp_client():
    import aiohttp, asyncio

    async def main():
        async with aiohttp.ClientSession() as s:
            async with s.get(URL + "/feed?since=2026-05-30T00:00:00%2B02:00"):
                pass
            async with s.post(URL + "/events", json={"type": "page", "path": "/cart?step=2"}):
                pass

    asyncio.run(main())


def jenkins_tool():
    import jenkins
    j = jenkins.Jenkins(URL, username="ci", password="11abcdef9876543210fedcba98765432")
    for call in (j.get_whoami, j.get_version, j.get_jobs, j.get_plugins_info, j.get_nodes, j.get_queue_info, lambda: j.get_job_config("shop"),
                 lambda: j.build_job("shop", {"branch": "main"}), lambda: j.run_script("println(Jenkins.instance.pluginManager.plugins)"),
                 lambda: j.create_job("new", jenkins.EMPTY_CONFIG_XML), lambda: j.get_build_console_output("shop", 17)):
        attempt(call)


def docker_tool():
    import docker
    c = docker.DockerClient(base_url="tcp://" + ADDRESS, version="1.41", timeout=5)
    for call in (c.ping, c.info, c.containers.list, c.images.list, c.version, c.volumes.list, c.networks.list,
                 lambda: c.api.create_container("alpine", ["sh", "-c", "make test"], environment=["CI=1"]),
                 lambda: c.api.start("3f2a"), lambda: c.api.exec_create("3f2a", "nginx -t"), lambda: c.api.exec_start("9b1c", detach=True), lambda: c.api.logs("3f2a"),
                 lambda: c.api.remove_container("3f2a")):
        attempt(call)


def kubernetes_tool():
    from kubernetes import client
    c = client.Configuration()
    c.host = URL
    c.api_key = {"authorization": "Bearer 9f8e7d6c5b4a39281706f5e4d3c2b1a0"}
    api = client.ApiClient(c)
    core, apps = client.CoreV1Api(api), client.AppsV1Api(api)
    body = {"metadata": {"name": "web"}, "spec": {"replicas": 2, "template": {"spec": {"containers": [{"name": "web", "image": "nginx:1.27"}]}}}}
    for call in (core.list_node, lambda: core.list_namespaced_pod("shop"), lambda: core.read_namespaced_config_map("web", "shop"),
                 lambda: apps.create_namespaced_deployment("shop", body), lambda: apps.patch_namespaced_deployment("web", "shop", body),
                 lambda: core.read_namespaced_secret("web-tls", "shop"), lambda: core.read_namespaced_pod_log("web-1", "shop")):
        attempt(call)


def elasticsearch_tool():
    from elasticsearch import Elasticsearch
    e = Elasticsearch([URL], timeout=5, max_retries=0)
    for call in (e.info, e.cluster.health, lambda: e.index(index="orders", id=1, body={"name": "desk", "price": 129}),
                 lambda: e.search(index="orders", body={"query": {"bool": {"must": [{"match": {"name": "desk"}}], "filter": [{"range": {"price": {"gte": 10}}}]}}}),
                 lambda: e.bulk(body='{"index":{"_index":"orders"}}\n{"name":"chair"}\n'), lambda: e.indices.delete(index="orders-2023")):
        attempt(call)


def gitlab_tool():
    import gitlab
    g = gitlab.Gitlab(URL, private_token="gl-0a1b2c3d4e5f60718293")
    for call in (g.auth, lambda: g.projects.list(search="shop"), lambda: g.http_get("/projects/7/pipelines"),
                 lambda: g.http_post("/projects/7/issues", post_data={"title": "It's slow", "description": "```\nselect 1;\n```"}),
                 lambda: g.http_put("/projects/7/merge_requests/3/merge"), lambda: g.http_get("/projects/7/repository/files/src%2Fmain.go/raw?ref=main")):
        attempt(call)


def github_tool():
    from github import Github
    g = Github("0a1b2c3d4e5f6071829300112233445566778899", base_url=URL, retry=None)
    for call in (lambda: g.get_user().login, lambda: g.get_repo("a/b").get_issues().totalCount, lambda: list(g.search_repositories("language:go stars:>100"))):
        attempt(call)


def etcd_tool():
    import etcd3gw
    c = etcd3gw.client(host=HOST, port=int(PORT))
    for call in (c.status, lambda: c.put("/service/pg/leader", "pg-0"), lambda: c.get("/service/pg/leader"), lambda: c.get_prefix("/service/pg/"),
                 lambda: c.delete("/service/pg/sync"), lambda: c.lease(ttl=30)):
        attempt(call)


def consul_tool():
    import consul
    c = consul.Consul(host=HOST, port=int(PORT), token="8f246b77-f3e1-ff88-5b48-8ec93abf3e05")
    for call in (c.catalog.services, lambda: c.kv.get("shop/config", recurse=True), lambda: c.kv.put("shop/config/flag", "on"), lambda: c.health.service("db", passing=True),
                 lambda: c.agent.service.register("cart", port=8080, check=consul.Check.http("http://10.1.8.7:8080/health", "10s"))):
        attempt(call)


def vault_tool():
    import hvac
    c = hvac.Client(url=URL, token="s.0a1b2c3d4e5f60718293a4b5")
    for call in (c.sys.read_health_status, lambda: c.secrets.kv.v2.read_secret_version("shop/db"), c.lookup_token, lambda: c.auth.kubernetes.login("shop", "x.y.z")):
        attempt(call)


def stripe_tool():
    import stripe
    stripe.api_key, stripe.api_base, stripe.max_network_retries = "test-0a1b2c3d4e5f60718293a4b5", URL, 0
    for call in (lambda: stripe.PaymentMethod.create(type="card", card={"number": "4242424242424242", "exp_month": 12, "exp_year": 2030, "cvc": "314"}),
                 lambda: stripe.Customer.create(email="ana@example.com", name="Ana"), lambda: stripe.Charge.list(limit=3)):
        attempt(call)


def spark_tool():  # what Airflow's operators for Spark and Ray's client for jobs send: requests with a body in JSON
    import requests
    attempt(lambda: requests.post(URL + "/v1/submissions/create", json={
        "action": "CreateSubmissionRequest", "appResource": "s3a://jobs/etl.jar", "mainClass": "com.example.Etl", "appArgs": ["2026-05-30"],
        "clientSparkVersion": "3.5.1", "environmentVariables": {"SPARK_ENV_LOADED": "1"}, "sparkProperties": {"spark.app.name": "etl", "spark.master": "spark://spark:7077"}}))
    attempt(lambda: requests.get(URL + "/v1/submissions/status/driver-20260530-0001"))
    attempt(lambda: requests.post(URL + "/batches", json={"file": "hdfs:///jobs/etl.py", "args": ["--day", "2026-05-30"], "conf": {"spark.executor.memory": "2g"}}))
    attempt(lambda: requests.post(URL + "/api/jobs/", json={"entrypoint": "python train.py --epochs 10", "runtime_env": {"working_dir": "gcs://_ray_pkg_0a1b.zip", "pip": ["torch"]}, "metadata": {}}))
    attempt(lambda: requests.post(URL + "/api/jobs/", json={"entrypoint": "python -c 'import ray; ray.init(); print(ray.cluster_resources())'"}))


attempt(globals()[KIND])
