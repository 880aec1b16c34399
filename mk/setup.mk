# Set-up: the Debian packages the project needs (tools/packages.txt).
.PHONY: setup
setup: ## install missing Debian packages (without root: print the command)
	@tools/setup.sh
