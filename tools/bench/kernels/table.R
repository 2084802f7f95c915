# Markdown tables of the kernel benchmarks.
# Rscript table.R <results.tsv>
#
# Medians over the rounds; a peer's ratio is its seconds over those here. The
# first table holds the seconds of the calls, the second memory, the third what
# each program says about its result: equal transition matrices have as many
# entries and the same sum of squares.

here <- dirname(sub(
    "--file=", "", grep("^--file=", commandArgs(), value = TRUE)
))
source(file.path(here, "..", "tables.R"))

BARS <- c(
    "velocity-pancreas" = 15, "velocity-stochastic-pancreas" = 1000,
    "velocity-tree" = 40, "pseudotime-hard" = 100, "pseudotime-soft" = 100,
    "cytotrace" = 3, "walks" = 200, "rna-velocity" = 3, "coupling" = 3
)
printTables(BARS)
