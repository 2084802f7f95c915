# A markdown table for each task and number of cells.
# Rscript table.R <results.tsv>
#
# Seconds and memory are medians over the seeds, measures of quality means; the
# last columns say how many times the seconds of this package a peer took. The
# rows "to the end of ..." are the seconds until the modularity at which that
# peer ends is reached, and by how many seeds.

rows <- utils::read.delim(
    commandArgs(trailingOnly = TRUE)[1L],
    header = FALSE,
    col.names = c("program", "task", "cells", "seed", "measure", "value")
)
OURS <- "fatecast"

# Seconds of each seed until its curve first reaches `target`; NA if never.
secondsTo <- function(of, target) {
    vapply(split(of, of$seed), function(one) {
        at <- function(what) {
            one <- one[startsWith(one$measure, paste("curve", what)), ]
            step <- as.integer(sub(".* ", "", one$measure))
            stats::setNames(one$value, step)[order(step)]
        }
        seconds <- at("seconds")
        reached <- at("modularity")[names(seconds)] >= target
        if (any(reached)) min(seconds[reached]) else NA_real_
    }, 1)
}

# Last modularity of each curve, by seed.
endsOf <- function(of) {
    vapply(split(of, of$seed), function(one) {
        one <- one[startsWith(one$measure, "curve modularity"), ]
        one$value[which.max(as.integer(sub(".* ", "", one$measure)))]
    }, 1)
}

# Seconds of a peer to its own last modularity, seed by seed, and of ours to
# the mean of these.
reaching <- function(part) {
    curve <- part[startsWith(part$measure, "curve"), ]
    curves <- split(curve, curve$program)
    # Sums in another order differ in the last digits.
    slack <- 1e-9
    made <- lapply(setdiff(names(curves), OURS), function(peer) {
        of <- curves[[peer]]
        ends <- endsOf(of)
        own <- vapply(names(ends), function(seed) {
            secondsTo(of[of$seed == seed, ], ends[[seed]] - slack)
        }, 1)
        spent <- stats::setNames(list(own), peer)
        if (OURS %in% names(curves)) {
            spent[[OURS]] <- secondsTo(curves[[OURS]], mean(ends) - slack)
        }
        data.frame(
            program = rep(names(spent), each = 2L), task = part$task[1L],
            cells = part$cells[1L], seed = 0L,
            measure = paste0(
                "to the end of ", peer, c(", seconds", ", seeds that reach it")
            ),
            value = unlist(lapply(spent, function(v) {
                c(stats::median(v, na.rm = TRUE), sum(!is.na(v)))
            }))
        )
    })
    do.call(rbind, made)
}

shown <- function(v, measure) {
    if (length(v) == 0L || is.na(v)) {
        return("")
    }
    digits <- if (grepl("seconds|MiB|residual|difference", measure)) 3 else 5
    format(signif(v, digits), trim = TRUE, scientific = abs(v) < 1e-4 && v != 0)
}

# One table: measures in rows, programs in columns, ours first.
tableOf <- function(part) {
    part <- rbind(part, reaching(part))
    part <- part[!startsWith(part$measure, "curve"), ]
    programs <- unique(part$program)
    ours <- startsWith(programs, OURS)
    programs <- c(sort(programs[ours]), programs[!ours])
    measures <- unique(part$measure)
    middle <- function(measure, program) {
        v <- part$value[part$measure == measure & part$program == program]
        if (!length(v)) {
            return(NA_real_)
        }
        if (grepl("seconds|MiB", measure)) stats::median(v) else mean(v)
    }
    line <- function(x) paste0("| ", paste(x, collapse = " | "), " |")
    peers <- setdiff(programs, programs[startsWith(programs, OURS)])
    first <- intersect(OURS, programs)
    body <- vapply(measures, function(measure) {
        values <- vapply(programs, function(p) middle(measure, p), 1)
        ratios <- if (length(first) && grepl("seconds", measure)) {
            values[peers] / values[[first]]
        } else {
            rep(NA_real_, length(peers))
        }
        line(c(
            measure, vapply(values, shown, "", measure = measure),
            vapply(ratios, shown, "", measure = "seconds")
        ))
    }, "")
    head <- c("measure", programs, paste(peers, "/", OURS, recycle0 = TRUE))
    c(
        paste0(
            "\n### ", part$task[1L], ", ",
            format(part$cells[1L], big.mark = ","), " cells\n"
        ),
        line(head), line(c("---", rep("---:", length(head) - 1L))), body
    )
}

for (n in sort(unique(rows$cells))) {
    for (task in unique(rows$task)) {
        part <- rows[rows$cells == n & rows$task == task, ]
        if (nrow(part)) writeLines(tableOf(part))
    }
}
