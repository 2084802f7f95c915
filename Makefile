# Everything one can do here; `make` alone lists it.

R = R
RSCRIPT = Rscript
# The packages built here live in the tree, never in a system library.
LIB = $(CURDIR)/build/lib
DEV = FATECAST_DEV=1 R_LIBS="$(LIB)$${R_LIBS:+:$$R_LIBS}"

# Without any locale R would mangle every character beyond ASCII.
LANG ?= C.UTF-8
export LANG
# The cargo of a fresh rustup is found without a new shell.
export PATH := $(PATH):$(HOME)/.cargo/bin

help:
	@echo "make setup              install what is missing (R, R packages, cargo)"
	@echo "make demo [DATA=file]   build, run the demonstration, plots to demo-output/"
	@echo "make test               all tests, core and package"
	@echo "make check              R CMD check of the source tarball, offline"
	@echo "make bench              benchmarks against peer programs"
	@echo "make dist               source tarball with vendored crates"
	@echo "make docs               help pages, NAMESPACE, wrappers, AUTHORS"
	@echo "make site               web site of the package (needs pkgdown)"
	@echo "make clean              remove everything these wrote"

setup:
	@sh tools/setup.sh

install: setup
	@mkdir -p "$(LIB)" build/log
	@echo "building and installing fatecast into build/lib (minutes the first time)"
	@$(DEV) $(R) CMD INSTALL --preclean --strip --no-multiarch --library="$(LIB)" . \
		>build/log/install.log 2>&1 || \
		{ tail -n 40 build/log/install.log; exit 1; }

demo: install
	@mkdir -p demo-output
	@$(DEV) $(RSCRIPT) tools/demo.R $(if $(DATA),"$(DATA)")

test: setup
	@LIB="$(LIB)" sh tools/test.sh

dist: setup
	@sh tools/dist.sh

check: dist
	@sh tools/check.sh

bench: install
	@$(DEV) sh tools/bench.sh

docs: setup
	@$(DEV) $(RSCRIPT) tools/docs.R

site: install
	@$(DEV) $(RSCRIPT) -e 'if (!requireNamespace("pkgdown", quietly = TRUE)) {' \
		-e 'message("make site needs the R package pkgdown: install.packages(\"pkgdown\")")' \
		-e 'quit(status = 1L)}' \
		-e 'pkgdown::build_site(install = FALSE, preview = FALSE)'

clean:
	rm -rf build demo-output docs src/rust/target
	sh ./cleanup

.PHONY: help setup install demo test dist check bench docs site clean
