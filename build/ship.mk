# What makes and checks packages, images and manifests; the Makefile includes it. The tools are those of build/tools/go.mod.

ARCHES   ?= $(shell $(GO) env GOHOSTARCH)
PACKAGES := build/out/packages

.PHONY: ship package packagecheck dockercheck deploytest manifests workflows sbom vulncheck

ship: deploytest workflows dockercheck packagecheck sbom vulncheck ## check everything that is shipped: chart, images, packages, workflows

package: ## Debian packages, tarballs, what is inside them and checksums, in build/out/packages (ARCHES="amd64 arm64")
	rm -rf $(PACKAGES)
	build/package/package.sh $(PACKAGES) $(ARCHES)

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
