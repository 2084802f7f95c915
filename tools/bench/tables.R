# Markdown tables of benchmarks whose rows are program, task, cells, seed,
# measure, value. Sourced by a table.R, which says what each task must reach.

rows <- utils::read.delim(
    commandArgs(trailingOnly = TRUE)[1L],
    header = FALSE,
    col.names = c("program", "task", "cells", "seed", "measure", "value")
)
OURS <- "fatecast"
COUNTED <- c(
    "seconds", "whole, seconds", "CPU seconds", "peak memory (MiB)",
    "peak above the start (MiB)", "left above the start (MiB)", "result (MiB)"
)

of <- function(task, program, measure) {
    stats::median(rows$value[
        rows$task == task & rows$program == program & rows$measure == measure
    ])
}
peerOf <- function(task) setdiff(rows$program[rows$task == task], OURS)[1L]
shown <- function(v, digits = 3) {
    text <- format(
        signif(v, digits), trim = TRUE, scientific = v != 0 & abs(v) < 1e-4
    )
    ifelse(is.na(v), "", text)
}
number <- function(v, digits = 3) vapply(v, shown, "", digits = digits)
line <- function(x) paste0("| ", paste(x, collapse = " | "), " |")
printTable <- function(title, table) {
    writeLines(c(
        paste0("\n### ", title, "\n"), line(colnames(table)),
        line(c("---", rep("---:", ncol(table) - 1L))),
        apply(as.matrix(table), 1L, line)
    ))
}

# Seconds, memory and results; `bars` are the ratios asked for, by task.
printTables <- function(bars) {
    tasks <- unique(rows$task)
    peers <- vapply(tasks, peerOf, "")
    ours <- function(measure) {
        vapply(tasks, of, 1, program = OURS, measure = measure)
    }
    theirs <- function(measure) {
        mapply(of, tasks, peers, MoreArgs = list(measure = measure))
    }
    printSeconds(tasks, peers, ours, theirs, bars)
    above <- function(v) number(v("peak above the start (MiB)"))
    printTable("Memory, MiB", data.frame(
        task = tasks, "peak above the start, fatecast" = above(ours),
        "the peer" = above(theirs),
        "left after the call, fatecast" =
            number(ours("left above the start (MiB)")),
        "left, peer" = number(theirs("left above the start (MiB)")),
        "result, fatecast" = number(ours("result (MiB)")),
        check.names = FALSE
    ))
    printResults(peers)
}

printSeconds <- function(tasks, peers, ours, theirs, bars) {
    passes <- function(program) {
        mapply(function(task, p) {
            sum(rows$task == task & rows$program %in% p &
                rows$measure == "seconds")
        }, tasks, program)
    }
    printTable("Seconds", data.frame(
        task = tasks, peer = ifelse(is.na(peers), "", peers),
        passes = paste0(passes(OURS), ", ", passes(peers)),
        fatecast = number(ours("seconds")),
        "the peer" = number(theirs("seconds")),
        ratio = number(theirs("seconds") / ours("seconds")),
        bar = number(bars[tasks]),
        "whole, fatecast" = number(ours("whole, seconds")),
        "whole, peer" = number(theirs("whole, seconds")),
        "CPU, fatecast" = number(ours("CPU seconds")),
        "CPU, peer" = number(theirs("CPU seconds")),
        check.names = FALSE
    ))
}

printResults <- function(peers) {
    results <- unique(rows[!rows$measure %in% COUNTED, c("task", "measure")])
    if (!nrow(results)) {
        return(invisible())
    }
    value <- function(program) {
        mapply(of, results$task, program, results$measure)
    }
    printTable("Results", data.frame(
        task = results$task, what = results$measure,
        fatecast = number(value(OURS), 7),
        "the peer" = number(value(peers[results$task]), 7),
        check.names = FALSE
    ))
}
