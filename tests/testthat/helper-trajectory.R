# Trajectories with known shapes, and a pseudotime on the tree.

# Points with coordinates alone, and their neighbours.
pointsSCE <- function(x, n_neighbors) {
    rownames(x) <- paste0("c", seq_len(nrow(x)))
    sce <- SingleCellExperiment::SingleCellExperiment(
        list(counts = matrix(
            0, 2, nrow(x), dimnames = list(c("g1", "g2"), rownames(x))
        )), reducedDims = list(PLACE = x)
    )
    buildNeighbors(sce, n_neighbors = n_neighbors, use_rep = "PLACE")
}

twelvePoints <- function() {
    t <- c(0, 1, 2.2, 3.1, 4.3, 5.2, 6, 7.1, 8.3, 9, 10.2, 11.1)
    sce <- pointsSCE(cbind(t, 0.1 * sin(t)), 5)
    computeDiffusionMap(sce, n_comps = 5, which = "LM")
}

timed <- function() {
    once("timed", computeDPT(
        computeDiffusionMap(tree()), root = "root"
    ))
}

# Three arms of 60 cells from a common start.
fork <- function() {
    once("fork", withr::with_seed(3, {
        arm <- function(dx, dy) {
            t <- seq(0.02, 1, length.out = 60)
            cbind(dx * t, dy * t) + matrix(rnorm(120, sd = 0.015), 60)
        }
        computeDiffusionMap(pointsSCE(
            rbind(arm(-3, 0), arm(1.8, 1.6), arm(1.5, -2)), 12
        ))
    }))
}

# Two separate lines of 30 cells.
apart <- function() {
    once("apart", withr::with_seed(1, computeDiffusionMap(pointsSCE(
        cbind(seq_len(60) + 100 * (seq_len(60) > 30), rnorm(60)), 6
    ))))
}
