# Medians of the measured passes as a markdown table.
# Rscript table.R <results.tsv>

rows <- utils::read.delim(
    commandArgs(trailingOnly = TRUE)[1L],
    header = FALSE, col.names = c("program", "step", "pass", "value")
)
steps <- unique(rows$step)
programs <- unique(rows$program)
extra <- c(
    "results into the object", "whole job, one expression",
    "peak memory (MiB)"
)
median <- vapply(programs, function(p) {
    vapply(steps, function(s) {
        stats::median(rows$value[rows$program == p & rows$step == s])
    }, 1)
}, numeric(length(steps)))
counted <- setdiff(steps, extra)
sums <- rbind(
    "sum" = colSums(median[counted, , drop = FALSE]),
    "sum without schur" = colSums(
        median[setdiff(counted, "schur"), , drop = FALSE]
    )
)
table <- rbind(
    median[counted, , drop = FALSE], sums,
    median[intersect(extra, steps), , drop = FALSE]
)
ratio <- table[, -1L, drop = FALSE] / table[, 1L]
shown <- function(v) ifelse(is.na(v), "", format(signif(v, 3), trim = TRUE))
cells <- cbind(
    rownames(table),
    apply(table, 2L, function(v) vapply(v, shown, "")),
    apply(ratio, 2L, function(v) vapply(v, shown, ""))
)
head <- c(
    "step", programs, if (ncol(ratio)) paste(colnames(ratio), "/ fatecast")
)
line <- function(x) paste0("| ", paste(x, collapse = " | "), " |")
writeLines(c(
    line(head), line(c("---", rep("---:", length(head) - 1L))),
    apply(cells, 1L, line)
))
