# What makes and checks packages, images and manifests; the Makefile includes it. The tools are those of build/tools/go.mod.

ARCHES   ?= $(shell $(GO) env GOHOSTARCH)
REGISTRY ?= ghcr.io/fluent-bit-waf
PACKAGES := build/out/packages
NOTES    := build/out/release-notes.md

.PHONY: ship package packagecheck notes images pushchart dockercheck deploytest manifests workflows sbom vulncheck

ship: deploytest workflows dockercheck packagecheck notes sbom vulncheck ## build and check everything of a release but images: packages, chart, SBOMs, checksums, notes

package: ## deb, rpm, tarballs, the chart, what is inside them and checksums, in build/out/packages (ARCHES="amd64 arm64")
	rm -rf $(PACKAGES)
	build/package/package.sh $(PACKAGES) $(ARCHES)

notes: ## the notes of the release VERSION from CHANGELOG.md, in build/out/release-notes.md
	@mkdir -p $(dir $(NOTES))
	build/package/notes.sh >$(NOTES)

images: ## both images with docker buildx (ARCHES="amd64 arm64"); PUSH=1 pushes them to REGISTRY=ghcr.io/fluent-bit-waf
	VERSION=$(VERSION) PUSH=$(PUSH) build/docker/images.sh $(REGISTRY) $(ARCHES)

pushchart: ## the packaged chart to oci://REGISTRY/charts
	$$($(GO) -C build/tools tool -n helm) push $(PACKAGES)/fluent-bit-waf-*.tgz oci://$(REGISTRY)/charts

packagecheck: package ## install, use and remove the packages below a temporary root
	build/package/check.sh $(PACKAGES)

dockercheck: ## the steps of build/Dockerfile, without Docker
	build/docker/check.sh

deploytest: ## chart, manifests, images, Compose file and manual
	$(GO) -C build/tools test -count=1 ./... # Go's cache of results does not see files outside of the module

manifests: ## build/kubernetes from the chart build/helm, and what the chart has from elsewhere
	$(GO) -C build/tools test ./chart -run 'Project|Current' -update

workflows: ## the syntax of .github/workflows
	$$($(GO) -C build/tools tool -n actionlint) -color -shellcheck "$$(command -v shellcheck)" .github/workflows/*.yml

sbom: build ## what is inside, as CycloneDX, in build/out; fails on licenses that are not permissive
	$(GO) -C build/tools run ./sbom -licenses $(CURDIR)/$(OUT)/licenses -o $(CURDIR)/$(OUT)/sbom.cdx.json fluent-bit-waf $(VERSION) \
		$(CURDIR)/$(OUT)/out_waf.so $(CURDIR)/$(OUT)/wafctl

vulncheck: ## known vulnerabilities in what is called, where the database of Go can be reached
	@build/vulncheck.sh $(TAGS)
