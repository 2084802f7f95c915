# Markdown tables of the estimator benchmarks.
# Rscript table.R <results.tsv>
#
# Medians over the rounds; a peer's ratio is its seconds over those here. The
# last table holds what each program says about its result; "failed" stands for
# an error of the peer.

here <- dirname(sub(
    "--file=", "", grep("^--file=", commandArgs(), value = TRUE)
))
source(file.path(here, "..", "tables.R"))

BARS <- c(
    "schur-tree" = 3, "schur-pancreas" = 100, "macrostates-pancreas-11" = 20,
    "macrostates-pancreas-18" = 20, "macrostates-tree-6" = 20,
    "fates-tips" = 3, "drivers" = 5, "drivers-permutation" = 10
)
printTables(BARS)
