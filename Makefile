# The two commands a newcomer needs are `make demo` and `make test`.
.PHONY: help demo test check bench

help: ## What there is
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "make %-6s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

demo: ## A concert goes on sale: FANS= (3000), RATE= admissions a minute, DATA= a file of events to import
	@scripts/demo.sh

test: ## Everything, over real Redis and Postgres of its own
	@scripts/test.sh

check: ## Format, lints, licences, scripts, compose.yaml
	@scripts/check.sh

bench: ## The same under more pressure, and without staying up: FANS= (8000), RATE= (6000)
	@FANS=$${FANS:-8000} RATE=$${RATE:-6000} STAY=no scripts/demo.sh
