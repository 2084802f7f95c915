# Regenerates everything that is generated: wrappers, NAMESPACE, help pages,
# AUTHORS. FATECAST_DEV and R_LIBS come from the Makefile; the first folder of
# R_LIBS receives the installed package.
if (!requireNamespace("roxygen2", quietly = TRUE)) {
    message("make docs needs the R package roxygen2")
    quit(status = 1L)
}
lib <- strsplit(Sys.getenv("R_LIBS"), .Platform$path.sep)[[1L]][1L]
dir.create(lib, recursive = TRUE, showWarnings = FALSE)
r <- file.path(R.home("bin"), "R")

run <- function(command, args) {
    if (system2(command, args) != 0L)
        stop(paste(c(command, args), collapse = " "), " failed", call. = FALSE)
}
install <- function(...) run(r, c(
    "CMD", "INSTALL", "--no-multiarch", "--no-test-load", ...,
    paste0("--library=", shQuote(lib)), "."))

# Files that need others before them say so (@include).
roxygen2::update_collate(".")

# The library first: the wrappers are R code that what follows reads.
install("--libs-only")
run(file.path(R.home("bin"), "Rscript"), c("--vanilla", "tools/wrappers.R"))

# Imports before anything is installed, since classes of other packages must
# be in scope when ours are defined; then the rest from the installed package.
blocks <- roxygen2::parse_package(".", env = NULL)
roxygen2::roclet_preprocess(roxygen2::namespace_roclet(), blocks, ".")
install("--no-docs")
roxygen2::roxygenise(".", load_code = "installed")

run("sh", c("tools/vendor.sh", "build/vendor.tar.xz"))
run(file.path(R.home("bin"), "Rscript"), c("--vanilla", "tools/authors.R"))
