# The two commands a newcomer needs are `make demo` and `make test`.
.PHONY: help demo test soak check bench pages

help: ## What there is
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "make %-6s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

demo: ## A concert goes on sale, and stays up to be tried: FANS= (3000), RATE= a minute (1200), ARGS="--help"
	@scripts/demo.sh $(ARGS)

test: ## Everything, over real Redis and Postgres of its own
	@scripts/test.sh

soak: ## Thousands of purchases under each family of faults: PURCHASES= (3000), ONLY="postgres webhooks …"
	@scripts/soak.sh $(ONLY)

check: ## Format, lints, licences, scripts, compose.yaml
	@scripts/check.sh

bench: ## Figures of this machine beside baselines of the same run: ONLY="streams crowd …" (scripts/bench.sh --help)
	@scripts/bench.sh $(ONLY)

pages: ## Pictures of every page into target/pages, with weights, axe's findings and first paints
	@scripts/pages.sh
