small <- function(...) {
    simulateDifferentiation(n_cells = 300, n_genes = 80, n_threads = 2, ...)
}
cellData <- SummarizedExperiment::colData
geneData <- SummarizedExperiment::rowData
assayOf <- SummarizedExperiment::assay
embeddingOf <- SingleCellExperiment::reducedDim
fatesOf <- function(x) {
    columns <- grep("^fate_", names(cellData(x)), value = TRUE)
    as.matrix(cellData(x)[, columns, drop = FALSE])
}

test_that("the object holds what its page promises", {
    x <- small()
    expect_s4_class(x, "SingleCellExperiment")
    expect_identical(dim(x), c(80L, 300L))
    expect_false(anyDuplicated(colnames(x)) > 0)
    expect_setequal(
        SummarizedExperiment::assayNames(x),
        c("counts", "unspliced", "logcounts", "Ms", "velocity")
    )
    for (name in c("counts", "unspliced", "logcounts")) {
        expect_s4_class(assayOf(x, name), "dgCMatrix")
        expect_true(methods::validObject(assayOf(x, name)))
    }
    expect_setequal(
        SingleCellExperiment::reducedDimNames(x),
        c("PCA", "velocity_PCA", "LAYOUT")
    )
    expect_identical(dim(embeddingOf(x, "PCA")), c(300L, 30L))
    expect_identical(dim(embeddingOf(x, "velocity_PCA")), c(300L, 30L))
    expect_identical(
        levels(x$cell_type),
        c("root", "intermediate", "Alpha", "Beta", "Gamma")
    )
    expect_true(all(table(x$cell_type) > 0))
    expect_identical(levels(x$time), c("0", "1", "2", "3"))
    expect_identical(levels(x$condition), c("control", "treated"))
    expect_identical(nlevels(x$sample), 4L)
    expect_identical(parameters(x, "simulation")$topology, "trifurcation")
    expect_identical(parameters(x, "simulation")$n_cells, 300L)
})

test_that("log counts and size factors belong to the counts", {
    x <- small()
    counts <- assayOf(x, "counts")
    expect_true(all(counts@x >= 1 & counts@x == round(counts@x)))
    total <- Matrix::colSums(counts)
    expect_equal(unname(x$sizeFactor), unname(total / mean(total)))
    slow <- log2(sweep(as.matrix(counts), 2, x$sizeFactor, "/") + 1)
    expect_equal(as.matrix(assayOf(x, "logcounts")), slow)
})

test_that("fates are probabilities that settle as cells mature", {
    for (topology in c("trifurcation", "bifurcation", "linear", "tree")) {
        x <- simulateDifferentiation(
            n_cells = 600, n_genes = 40, topology = topology, n_threads = 2
        )
        fates <- fatesOf(x)
        n <- c(trifurcation = 3, bifurcation = 2, linear = 1, tree = 4)
        expect_identical(ncol(fates), as.integer(n[[topology]]))
        expect_equal(unname(rowSums(fates)), rep(1, 600))
        expect_true(all(fates >= 0))
        late <- x$pseudotime > 0.9
        expect_gt(mean(apply(fates[late, , drop = FALSE], 1, max)), 0.97)
        typed <- match(as.character(x$cell_type), sub(
            "fate_", "", colnames(fates)
        ))
        chosen <- which(!is.na(typed))
        expect_true(all(fates[cbind(chosen, typed[chosen])] >= 0.8))
        expect_lt(max(x$pseudotime[x$cell_type == "root"]), 0.25)
    }
})

test_that("without noise velocity is the rate of the expression", {
    x <- small(noise = 0, n_samples = 1)
    genes <- geneData(x)
    velocity <- assayOf(x, "velocity")
    expect_true(all(velocity[!genes$velocity_genes, ] == 0))
    expect_true(all(rowSums(velocity[genes$velocity_genes, ] != 0) > 0))
    # Maturation genes follow the closed form of a single step everywhere.
    for (g in which(genes$programme == "maturation")) {
        p <- genes[g, ]
        lag <- pmax(x$pseudotime - p$on, 0)
        eb <- exp(-p$beta * lag)
        eg <- exp(-p$gamma * lag)
        u <- p$basal / p$beta + p$step * (1 - eb) / p$beta
        s <- p$basal / p$gamma + p$step * (
            (1 - eg) / p$gamma + (eg - eb) / (p$gamma - p$beta)
        )
        expect_equal(unname(assayOf(x, "Ms")[g, ]), s)
        expect_equal(unname(velocity[g, ]), p$beta * u - p$gamma * s)
    }
})

test_that("velocity points forward, also on the principal components", {
    x <- simulateDifferentiation(n_cells = 1000, n_genes = 200, n_threads = 2)
    # Later components hold the noise of the counts.
    pca <- embeddingOf(x, "PCA")[, seq_len(5)]
    moving <- embeddingOf(x, "velocity_PCA")[, seq_len(5)]
    middle <- which(x$pseudotime > 0.2 & x$pseudotime < 0.6)
    # The nearest cells by fate that are a little further.
    ahead <- vapply(middle, function(i) {
        gap <- abs(x$pseudotime - x$pseudotime[i] - 0.1)
        apart <- colSums((t(fatesOf(x)) - fatesOf(x)[i, ])^2)
        near <- order(gap + apart)[seq_len(10)]
        step <- colMeans(pca[near, ]) - pca[i, ]
        sum(step * moving[i, ]) / sqrt(sum(step^2) * sum(moving[i, ]^2))
    }, numeric(1))
    expect_gt(mean(ahead), 0.45)
    expect_gt(mean(ahead > 0), 0.9)
})

test_that("seeds and threads", {
    drop <- function(x) list(
        SummarizedExperiment::assays(x), cellData(x), geneData(x),
        SingleCellExperiment::reducedDims(x)
    )
    x <- small(random_state = 3)
    one <- simulateDifferentiation(
        n_cells = 300, n_genes = 80, random_state = 3, n_threads = 1
    )
    expect_identical(drop(x), drop(one))
    expect_false(identical(
        assayOf(x, "counts"), assayOf(small(random_state = 4), "counts")
    ))
    drawn <- function() {
        withr::with_seed(8, small(random_state = NULL))
    }
    expect_identical(drop(drawn()), drop(drawn()))
    expect_true(is.numeric(parameters(drawn(), "simulation")$random_state))
})

test_that("treatment changes fates and genes of a lineage, or nothing", {
    effect <- simulateDifferentiation(
        n_cells = 3000, n_genes = 100, condition_effect = 1.5, noise = 0,
        n_threads = 2
    )
    treated <- effect$condition == "treated"
    expect_gt(
        mean(effect$fate_Alpha[treated]),
        mean(effect$fate_Alpha[!treated]) + 0.2
    )
    genes <- geneData(effect)
    touched <- which(genes$condition_log_effect != 0)
    expect_gt(length(touched), 0)
    expect_true(all(genes$programme[touched] == "lineage"))
    # In mature cells of a lineage the step of its gene has changed.
    single <- touched[!grepl(",", genes$lineage[touched])]
    expect_gt(length(single), 0)
    for (g in single) {
        mature <- effect$cell_type == genes$lineage[g] &
            effect$pseudotime > 0.9
        s <- assayOf(effect, "Ms")[g, ]
        above <- s - genes$basal[g] / genes$gamma[g]
        ratio <- mean(above[mature & treated]) / mean(above[mature & !treated])
        expect_equal(log(ratio), genes$condition_log_effect[g], tolerance = 0.2)
    }
    none <- small(condition_effect = 0)
    expect_true(all(geneData(none)$condition_log_effect == 0))
    expect_identical(unique(as.character(
        small(n_samples = 1)$condition
    )), "control")
})

test_that("large objects stay sparse unless dense assays are asked for", {
    x <- small(dense = FALSE)
    expect_setequal(
        SummarizedExperiment::assayNames(x),
        c("counts", "unspliced", "logcounts")
    )
    expect_identical(
        embeddingOf(x, "velocity_PCA"), embeddingOf(small(), "velocity_PCA")
    )
    withr::with_options(list(fatecast.memory_limit = 1e4), {
        expect_false("velocity" %in% SummarizedExperiment::assayNames(small()))
        expectFailure(small(dense = TRUE), "memory")
    })
})

test_that("arguments without meaning are refused", {
    expectFailure(simulateDifferentiation(n_cells = 2), "range")
    expectFailure(simulateDifferentiation(n_genes = 10.5), "type")
    expectFailure(simulateDifferentiation(topology = "star"), "range")
    expectFailure(simulateDifferentiation(n_samples = 0), "range")
    expectFailure(simulateDifferentiation(condition_effect = 6), "range")
    expectFailure(simulateDifferentiation(noise = -1), "range")
    expectFailure(simulateDifferentiation(depth = 0), "range")
    expectFailure(simulateDifferentiation(dense = NA), "type")
    expectFailure(simulateDifferentiation(seed = 1), "unknown_argument")
})
