# Graphs with times, and the schemes of time one edge at a time.

# `n` cells on a ring with chords; weights are eighths, so that ties are common.
timeGraph <- function(n = 60L, symmetric = TRUE, seed = 3L) {
    withr::with_seed(seed, {
        m <- matrix(0, n, n)
        for (step in c(1L, 2L, 5L, 9L, 14L)) {
            at <- cbind(seq_len(n), (seq_len(n) + step - 1L) %% n + 1L)
            m[at] <- sample(8L, n, replace = TRUE) / 8
        }
        if (symmetric) m <- pmax(m, t(m))
        time <- sample(n) / n
    })
    cells <- paste0("c", seq_len(n))
    dimnames(m) <- list(cells, cells)
    list(conn = m, time = time)
}

# The graph in an object with the column `time`.
timeSCE <- function(d = timeGraph(), scale = 1) {
    n <- nrow(d$conn)
    sce <- SingleCellExperiment::SingleCellExperiment(
        list(counts = matrix(1, 2L, n)), colData = list(time = d$time * scale)
    )
    dimnames(sce) <- list(c("a", "b"), rownames(d$conn))
    .writeGraph(sce, "connectivities", .asGeneral(d$conn))
}

slowBias <- function(conn, time, keep) {
    for (i in seq_len(nrow(conn))) {
        near <- which(conn[i, ] > 0)
        conn[i, near] <- keep(time[i], time[near], conn[i, near])
    }
    conn
}

slowHard <- function(conn, time, frac_to_keep) {
    slowBias(conn, time, function(now, then, w) {
        m <- min(30, floor(length(w) * frac_to_keep))
        ranks <- order(-w, seq_along(w))
        ifelse(seq_along(w) %in% utils::head(ranks, m) | now <= then, w, 0)
    })
}

slowSoft <- function(conn, time, b, nu) {
    slowBias(conn, time, function(now, then, w) {
        w * ifelse(then < now, 2 / (1 + exp(b * (now - then)))^(1 / nu), 1)
    })
}

# Without the order of storage.
plain <- function(m) unname(as.matrix(m))

rowStochastic <- function(m) m / rowSums(m)
