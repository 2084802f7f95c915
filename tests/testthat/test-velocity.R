test_that("the steady state of the specification, in each container", {
    for (x in list(sixCells(), sixCells(sparse = FALSE), sixSeurat())) {
        x <- fewGenes(estimateVelocity(
            computeMoments(x), mode = "deterministic"
        ))
        expectNear(columnOf(x, "velocity_gamma"), c(0.615774, 0.522452))
        expectNear(columnOf(x, "velocity_r2"), c(0.826029, 0.874632))
        expect_identical(columnOf(x, "velocity_genes"), c(TRUE, TRUE))
        expectNear(assayOf(x, "velocity")["g1", ], c(
            -0.361240, 0, -0.339323, -0.233430, -0.551269, -0.190028
        ))
        expectNear(assayOf(x, "velocity")["g2", ], c(
            0.104675, -0.350820, -0.342154, -0.180160, 0, -0.455495
        ))
        expect_false("variance_velocity" %in% .assayNames(x))
        expect_false("velocity_offset" %in% .featureDataNames(x))
    }
})

test_that("the stochastic mode of the specification, in each container", {
    for (x in list(sixCells(), sixCells(sparse = FALSE), sixSeurat())) {
        for (compat in c(FALSE, TRUE)) {
            v <- fewGenes(estimateVelocity(x, compat = compat))
            expectNear(columnOf(v, "velocity_gamma"), c(0.701556, 0.567952))
            expectNear(
                columnOf(v, "velocity_qreg_ratio"), c(0.615774, 0.522452)
            )
            expectNear(assayOf(v, "velocity")["g1", ], c(
                -0.766802, -0.471329, -0.696557, -0.588101, -0.744156,
                -0.448682
            ))
            expectNear(assayOf(v, "velocity")["g2", ], c(
                0.048474, -0.403144, -0.469926, -0.319484, -0.230162,
                -0.681781
            ))
            expectNear(assayOf(v, "variance_velocity")["g1", ], c(
                6.452933, 7.553847, 5.349134, 5.814782, 1.751659, 4.282937
            ))
            expectNear(assayOf(v, "variance_velocity")["g2", ], c(
                0.913777, -0.673344, 3.624938, 0.828139, 4.239732, 6.058558
            ))
        }
    }
})

test_that("offsets of the specification, and as the peer fits them", {
    x <- sixCells(offsetUnspliced())
    fit <- function(...) fewGenes(estimateVelocity(
        x, fit_offset = TRUE, perc = c(20, 80), ...
    ))
    steady <- fit(mode = "steady_state")
    expectNear(columnOf(steady, "velocity_gamma"), c(0.657610, 0.454645))
    expectNear(columnOf(steady, "velocity_offset"), c(1.706442, 0.443415))
    expectNear(columnOf(steady, "velocity_r2"), c(0.920178, 0.969246))
    expectNear(assayOf(steady, "velocity")[, 1], c(-0.215478, -0.104986))
    expect_identical(parameters(steady, "velocity")$mode, "deterministic")
    ours <- fit()
    expectNear(columnOf(ours, "velocity_gamma"), c(1.087547, 0.572923))
    expectNear(columnOf(ours, "velocity_offset"), c(0.041940, 0.076249))
    expectNear(
        assayOf(ours, "variance_velocity")[, 1], c(8.763197, 1.796867)
    )
    expectNear(assayOf(ours, "velocity")[, 1], c(-0.583623, 0.116085))
    peer <- fit(compat = TRUE)
    expectNear(columnOf(peer, "velocity_gamma"), c(1.092477, 0.578214))
    expectNear(columnOf(peer, "velocity_offset"), c(0.015237, 0.039882))
    expectNear(
        assayOf(peer, "variance_velocity")[, 1], c(8.527895, 1.702007)
    )
    expectNear(assayOf(peer, "velocity")[, 1], c(-0.580225, 0.145916))
})

test_that("one selected gene is enough, and falling back is said", {
    u <- offsetUnspliced()
    u["g2", ] <- c(3, 2, 4, 1, 1, 0)
    w <- expect_warning(
        x <- fewGenes(estimateVelocity(
            sixCells(u), fit_offset = TRUE, perc = c(20, 80)
        )), class = "fatecast_warning_fallback"
    )
    expect_identical(w$n_genes, 1L)
    expect_match(conditionMessage(w), "0\\.7848")
    expectNear(columnOf(x, "velocity_qreg_ratio")[2], -0.202442)
    expectNear(columnOf(x, "velocity_offset")[2], 2.691383)
    expectNear(columnOf(x, "velocity_r2")[2], 0.243361)
    expect_identical(columnOf(x, "velocity_genes"), c(TRUE, FALSE))
    expectNear(columnOf(x, "velocity_gamma")[1], 1.087547)
    expect_true(all(assayOf(x, "variance_velocity")["g2", ] == 0))
})

test_that("the fallback fits other genes again than those that passed", {
    x <- computeMoments(counted(120, 24), n_neighbors = 12)
    # Too strict for any gene.
    expect_warning(
        strict <- fewGenes(estimateVelocity(x, min_r2 = 0.9999)),
        class = "fatecast_warning_fallback"
    )
    r2 <- columnOf(strict, "velocity_r2")
    expect_identical(
        columnOf(strict, "velocity_genes"), r2 > quantile(r2, 0.8)[[1]]
    )
    refitted <- columnOf(strict, "velocity_gamma") !=
        columnOf(strict, "velocity_qreg_ratio")
    expect_identical(refitted, columnOf(strict, "velocity_genes"))
})

test_that("an exact line is found, and is degenerate for second moments", {
    x2 <- computeMoments(sixCells(0.75 * sixSpliced()), normalize = FALSE)
    x2 <- fewGenes(estimateVelocity(x2))
    expect_equal(columnOf(x2, "velocity_gamma"), c(0.75, 0.75),
        tolerance = 1e-14)
    expect_lt(max(abs(assayOf(x2, "velocity"))), 1e-14)
    expect_equal(columnOf(x2, "velocity_r2"), c(1, 1), tolerance = 1e-14)
    expect_true(all(assayOf(x2, "variance_velocity") == 0))
    run <- .readRecord(x2, "velocity_params")$run
    expect_identical(run$degenerate_genes, 2)
})

test_that("cells and genes may come in any order, genes may be missing", {
    x <- computeMoments(counted(120, 24), n_neighbors = 12)
    v <- estimateVelocity(x)
    cells <- rev(colnames(x))
    genes <- sample(rownames(x))
    turned <- estimateVelocity(x[genes, cells])
    expect_equal(
        assayOf(turned, "velocity")[rownames(x), colnames(x)],
        assayOf(v, "velocity"), tolerance = 1e-10
    )
    few <- estimateVelocity(x[1:15, ])
    expect_identical(assayOf(few, "velocity"), assayOf(v, "velocity")[1:15, ])
})

test_that("scales of the counts scale the steady state", {
    fit <- function(s, u) {
        x <- sixCells(u * sixUnspliced())
        SummarizedExperiment::assay(x, "spliced") <-
            s * SummarizedExperiment::assay(x, "spliced")
        x <- computeMoments(x)
        fewGenes(estimateVelocity(x, mode = "deterministic"))
    }
    plain <- fit(1, 1)
    expect_equal(
        columnOf(fit(1, 3), "velocity_gamma"),
        3 * columnOf(plain, "velocity_gamma")
    )
    expect_equal(
        assayOf(fit(1, 3), "velocity"), 3 * assayOf(plain, "velocity")
    )
    expect_equal(
        columnOf(fit(3, 1), "velocity_gamma"),
        columnOf(plain, "velocity_gamma") / 3
    )
})

test_that("known ratios come back from simulated counts", {
    sce <- buildNeighbors(simulateDifferentiation(
        1000, 200, noise = 0, depth = 5, random_state = 2, n_threads = 2
    ), n_neighbors = 30, n_threads = 2)
    SummarizedExperiment::assay(sce, "Ms") <- NULL
    for (mode in c("deterministic", "stochastic")) {
        v <- estimateVelocity(sce, mode = mode, vkey = "v", n_threads = 2)
        genes <- columnOf(v, "v_genes") & columnOf(v, "v_r2") > 0.5
        truth <- columnOf(v, "gamma") / columnOf(v, "beta")
        expect_gt(cor(
            log(columnOf(v, "v_gamma")[genes]), log(truth[genes])
        ), 0.75)
        cell_cor <- cor(
            as.vector(assayOf(v, "v")[genes, ]),
            as.vector(assayOf(v, "velocity")[genes, ])
        )
        expect_gt(cell_cor, 0.5)
    }
})

test_that("known ratios are found in cells at rest, within their noise", {
    # u = gamma s for every gene and cell, seen as counts.
    n <- 600L
    genes <- 40L
    at <- (seq_len(n) - 0.5) / n
    ratio <- exp(seq(log(0.1), log(3), length.out = genes))
    withr::with_seed(7, {
        peak <- runif(genes)
        s <- 2 + 20 * exp(-outer(peak, at, "-")^2 / 0.08)
        draw <- function(m) {
            matrix(rpois(length(m), m), genes, dimnames = list(
                paste0("g", seq_len(genes)), paste0("c", seq_len(n))
            ))
        }
        counts <- draw(s)
        unspliced <- draw(ratio * s)
    })
    x <- SingleCellExperiment::SingleCellExperiment(list(
        counts = Matrix::Matrix(counts, sparse = TRUE),
        unspliced = Matrix::Matrix(unspliced, sparse = TRUE)
    ))
    place <- cbind(at)
    rownames(place) <- colnames(x)
    x <- buildNeighbors(.writeEmbedding(x, "PLACE", place),
        n_neighbors = 30, use_rep = "PLACE"
    )
    x <- computeMoments(x, normalize = FALSE)
    for (mode in c("deterministic", "stochastic")) {
        v <- estimateVelocity(x, mode = mode, vkey = "v")
        off <- log(columnOf(v, "v_gamma") / ratio)
        # The five per cent of cells at the top hold some 600 counts each way.
        expect_lt(max(abs(off)), 0.25)
        expect_lt(median(abs(off)), 0.05)
        expect_gt(cor(log(columnOf(v, "v_gamma")), log(ratio)), 0.99)
    }
})

test_that("options act as they say", {
    x <- computeMoments(counted(120, 24), n_neighbors = 12)
    fit <- function(...) fewGenes(estimateVelocity(
        x, mode = "deterministic", ...
    ))
    plain <- fit()
    gamma <- columnOf(plain, "velocity_gamma")
    bound <- fit(constrain_ratio = 0.2)
    expect_equal(columnOf(bound, "velocity_gamma"), pmin(gamma, 0.2))
    both <- fit(constrain_ratio = c(0.1, 0.2))
    expect_equal(
        columnOf(both, "velocity_gamma"), pmax(pmin(gamma, 0.2), 0.1)
    )
    expect_identical(assayOf(fit(perc = 95), "velocity"),
        assayOf(plain, "velocity"))
    expect_false(identical(columnOf(fit(perc = 80), "velocity_gamma"), gamma))
    s <- assayOf(x, "Ms")
    u <- assayOf(x, "Mu")
    all <- rowSums(s * u) / rowSums(s^2)
    expect_equal(
        columnOf(fit(perc = 0), "velocity_gamma"), unname(all)
    )
    e <- u - all * s
    expect_equal(
        columnOf(fit(r2_adjusted = TRUE), "velocity_r2"),
        unname(1 - rowSums(e^2) / rowSums((u - rowMeans(u))^2))
    )
    stochastic <- fewGenes(estimateVelocity(x, constrain_ratio = 0.2))
    expect_lte(max(columnOf(stochastic, "velocity_gamma")), 0.2)
    SummarizedExperiment::rowData(x)$highly_variable <- rep(
        c(TRUE, FALSE, NA), length.out = nrow(x)
    )
    expect_identical(
        columnOf(fit(), "velocity_genes"),
        columnOf(plain, "velocity_genes") & rep_len(
            c(TRUE, FALSE, FALSE), nrow(x)
        )
    )
    expect_identical(
        columnOf(fit(use_highly_variable = FALSE), "velocity_genes"),
        columnOf(plain, "velocity_genes")
    )
})

test_that("normalised counts can be fitted instead of moments", {
    s <- sweep(sixSpliced(), 2, c(10, 12, 9, 15, 11, 14) / 11.5, "/")
    u <- sweep(sixUnspliced(), 2, c(5, 8, 4, 6, 6, 7) / 6, "/")
    raw <- suppressWarnings(estimateVelocity(
        sixCells(), mode = "deterministic", use_raw = TRUE
    ))
    gamma <- vapply(1:2, function(g) {
        z <- s[g, ] / max(s[g, ]) + u[g, ] / max(u[g, ])
        w <- z >= quantile(z, 0.95)
        sum((s * u)[g, w]) / sum(s[g, w]^2)
    }, 1)
    expect_equal(columnOf(raw, "velocity_gamma"), gamma)
    expect_equal(unname(assayOf(raw, "velocity")), unname(u - gamma * s))
    expect_false("Ms" %in% .assayNames(raw))
    second <- suppressWarnings(estimateVelocity(sixCells(), use_raw = TRUE))
    expect_true("variance_velocity" %in% .assayNames(second))
})

test_that("moments are made when missing, and used when stored", {
    x <- counted(120, 24)
    direct <- suppressMessages(estimateVelocity(x))
    steps <- estimateVelocity(suppressMessages(computeMoments(x)))
    for (name in c("Ms", "Mu", "velocity", "variance_velocity")) {
        expect_identical(assayOf(direct, name), assayOf(steps, name))
    }
    expect_identical(
        parameters(direct, "moments"), parameters(steps, "moments")
    )
    # Second moments follow the settings of the stored ones.
    few <- estimateVelocity(computeMoments(x, n_neighbors = 6))
    peer <- estimateVelocity(computeMoments(x, n_neighbors = 6), compat = TRUE)
    expect_identical(
        columnOf(few, "velocity_qreg_ratio"),
        columnOf(peer, "velocity_qreg_ratio")
    )
    expect_false(identical(
        columnOf(few, "velocity_gamma"), columnOf(peer, "velocity_gamma")
    ))
    SummarizedExperiment::assay(few, "Ms")[3, 5] <- NaN
    expectFailure(estimateVelocity(few), "range", list(
        assay = "Ms", genes = rownames(few)[3], count = 1
    ))
    # Moments are enough for the steady state.
    SummarizedExperiment::assay(steps, "counts") <- NULL
    # Without a graph the cells are added up in another order.
    expect_equal(
        columnOf(estimateVelocity(steps, "deterministic"), "velocity_gamma"),
        columnOf(direct, "velocity_qreg_ratio"), tolerance = 1e-13
    )
    expectFailure(estimateVelocity(steps), "missing_key")
})

test_that("the selected genes alone can be stored or kept", {
    x <- suppressMessages(computeMoments(counted(120, 24)))
    SummarizedExperiment::rowData(x)$highly_variable <- seq_len(24) %% 2 == 0
    for (from in list(x, counted(120, 24))) {
        if (is.null(SummarizedExperiment::rowData(from)$highly_variable)) {
            SummarizedExperiment::rowData(from)$highly_variable <-
                seq_len(24) %% 2 == 0
        }
        all <- suppressMessages(estimateVelocity(from))
        genes <- columnOf(all, "velocity_genes")
        some <- suppressMessages(
            estimateVelocity(from, store = "velocity_genes")
        )
        expect_s4_class(.readAssay(some, "velocity"), "dgCMatrix")
        for (name in c("velocity", "variance_velocity")) {
            expect_identical(
                assayOf(some, name)[genes, ], assayOf(all, name)[genes, ]
            )
            expect_true(all(assayOf(some, name)[!genes, ] == 0))
        }
        expect_identical(
            SummarizedExperiment::rowData(some),
            SummarizedExperiment::rowData(all)
        )
        expect_identical(
            parameters(some, "velocity")$store, "velocity_genes"
        )
        kept <- suppressMessages(estimateVelocity(from, filter_genes = TRUE))
        expect_identical(rownames(kept), rownames(all)[genes])
        for (name in c("Ms", "velocity", "variance_velocity")) {
            expect_identical(assayOf(kept, name), assayOf(all, name)[genes, ])
        }
    }
    # Moments of some genes are not taken for moments of all.
    partial <- suppressMessages(
        estimateVelocity(counted(120, 24), store = "velocity_genes")
    )
    again <- suppressMessages(estimateVelocity(partial))
    expect_identical(
        assayOf(again, "Ms"),
        assayOf(suppressMessages(computeMoments(counted(120, 24))), "Ms")
    )
    expectFailure(
        suppressWarnings(estimateVelocity(
            x[0, ], mode = "deterministic", filter_genes = TRUE
        )), "no_state"
    )
})

test_that("several results live side by side and foreign ones are named", {
    x <- computeMoments(counted(120, 24), n_neighbors = 12)
    expectQuiet(x <- estimateVelocity(x))
    before <- assayOf(x, "velocity")
    x <- estimateVelocity(x, mode = "deterministic", vkey = "steady")
    expect_identical(assayOf(x, "velocity"), before)
    expect_identical(parameters(x, "steady")$mode, "deterministic")
    expectQuiet(estimateVelocity(x))
    SummarizedExperiment::assay(x, "mine") <- before
    w <- expect_warning(
        estimateVelocity(x, vkey = "mine"), class = "fatecast_warning_dropped"
    )
    expect_identical(w$key, "mine")
})

test_that("arguments without meaning are refused before any work", {
    x <- sixCells()
    e <- expectFailure(estimateVelocity(x, "dynamical"), "unknown_argument")
    expect_identical(e$known, c("stochastic", "deterministic"))
    expectFailure(estimateVelocity(x, perc = c(95, 5)), "range")
    expectFailure(estimateVelocity(x, perc = 101), "range")
    expectFailure(estimateVelocity(x, perc = "95"), "type")
    expectFailure(estimateVelocity(x, constrain_ratio = c(2, 1)), "range")
    expectFailure(estimateVelocity(x, min_likelihood = 1), "unknown_argument")
    expectFailure(estimateVelocity(sixSpliced()), "container_class")
    withr::local_options(fatecast.memory_limit = 300)
    expectFailure(estimateVelocity(x), "memory", list(bytes = 384))
})

test_that("the reference agrees with the peer", {
    skip_if_no_reference()
    data <- readReference()
    sce <- withReferenceGraph(data$sce, data$reference)
    peer <- lapply(c(Ms = "Ms", velocity = "velocity"), assayOf, x = sce)
    genes <- columnOf(sce, "velocity_genes")
    for (name in names(peer)) SummarizedExperiment::assay(sce, name) <- NULL
    SummarizedExperiment::rowData(sce)$velocity_genes <- NULL
    sce <- estimateVelocity(sce, n_threads = 2)
    # The peer keeps moments in single precision.
    ms <- assayOf(sce, "Ms")
    expect_lt(max(abs(ms / peer$Ms - 1)[peer$Ms > 0]), 2e-6)
    expect_identical(ms > 0, peer$Ms > 0)
    expect_identical(columnOf(sce, "velocity_genes"), genes)
    v <- assayOf(sce, "velocity")[genes, ]
    old <- peer$velocity[genes, ]
    same <- vapply(seq_len(sum(genes)), function(g) cor(v[g, ], old[g, ]), 1)
    expect_gt(min(same), 1 - 1e-9)
    away <- apply(abs(v - old), 1, max) / apply(abs(old), 1, max)
    expect_lt(max(away), 1e-5)
})
