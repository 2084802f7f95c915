test_that("the fixture of twelve points is met in both bases", {
    sce <- computeDPT(twelvePoints(), n_dcs = 5, root = 1)
    # Compared at 3e-6: the graph's own tolerance reaches the sixth digit.
    expect_equal(sce$dpt_pseudotime, c(
        0, .047878, .017526, .094465, .250793, .428715, .570879, .775973,
        .911631, .977736, 1, .985433
    ), tolerance = 3e-6)
    sce <- computeDPT(sce, n_dcs = 5, root = 1, basis = "right")
    expect_equal(sce$dpt_pseudotime, c(
        0, .045601, .022055, .095070, .250832, .428345, .576552, .784354,
        .916791, .978641, 1, .994029
    ), tolerance = 3e-6)
    expect_lt(.readRecord(sce, "dpt_pseudotime")$run$residual, 1e-8)
})

test_that("time starts at the root, ends at one and follows the simulation", {
    sce <- timed()
    expect_identical(range(sce$dpt_pseudotime), c(0, 1))
    root <- .readRecord(sce, "dpt_pseudotime")$root
    expect_identical(colnames(sce)[which.min(sce$dpt_pseudotime)], root)
    expect_identical(
        as.character(sce$cell_type)[match(root, colnames(sce))], "root"
    )
    expect_gt(
        cor(sce$dpt_pseudotime, sce$pseudotime, method = "spearman"), 0.8
    )
    p <- parameters(sce, "dpt_pseudotime")
    expect_identical(p$n_dcs, 10L)
    expect_identical(p$root, "root")
    expect_identical(p$basis, "symmetric")
})

test_that("a missing diffusion map is made, with a message", {
    bare <- tree()
    expect_message(
        sce <- computeDPT(bare, root = "root"), "computeDiffusionMap",
        class = "fatecast_message"
    )
    expect_equal(sce$dpt_pseudotime, timed()$dpt_pseudotime)
    expect_true(.hasEmbedding(sce, "DiffMap"))
    few <- pointsSCE(cbind(seq_len(8), 0), 3)
    expect_warning(
        expect_message(out <- computeDPT(few, root = 1, n_dcs = 12)),
        class = "fatecast_warning_replaced_argument"
    )
    expect_lt(parameters(out, "dpt_pseudotime")$n_dcs, 8)
})

test_that("cells that cannot be reached are told about", {
    sce <- apart()
    expect_warning(
        out <- computeDPT(sce, root = 3),
        class = "fatecast_warning_disconnected"
    )
    expect_identical(which(is.infinite(out$dpt_pseudotime)), 31:60)
    expect_identical(range(out$dpt_pseudotime[1:30]), c(0, 1))
    w <- tryCatch(
        computeDPT(sce, root = 3, unreachable = "na"),
        fatecast_warning_disconnected = identity
    )
    expect_identical(w$cells, colnames(sce)[31:60])
    out <- suppressWarnings(computeDPT(sce, root = 40, unreachable = "na"))
    expect_identical(which(is.na(out$dpt_pseudotime)), 1:30)
    e <- expectFailure(
        computeDPT(sce, root = 3, unreachable = "error"), "unreachable"
    )
    expect_identical(e$cells, colnames(sce)[31:60])
    # Pseudotime that is not finite must not slip into a kernel.
    out <- suppressWarnings(computeDPT(sce, root = 3))
    expectFailure(computeTransitionMatrix(
        PseudotimeKernel(out, "dpt_pseudotime")
    ), "range")
})

test_that("branchings split a fork into its arms", {
    sce <- suppressMessages(computeDPT(fork(), root = 60, n_branchings = 1))
    groups <- sce$dpt_groups
    expect_s3_class(groups, "factor")
    arm <- rep(1:3, each = 60)
    best <- apply(table(arm, groups), 1, which.max)
    expect_identical(anyDuplicated(best), 0L)
    expect_true(all(apply(table(arm, groups), 1, max) > 40))
    record <- .readRecord(sce, "dpt_pseudotime")
    expect_identical(sort(sce$dpt_order), seq_len(180))
    expect_identical(order(sce$dpt_order), record$order_indices)
    ranked <- groups[record$order_indices]
    expect_false(is.unsorted(as.integer(ranked)))
    expect_identical(
        record$changepoints, which(diff(as.integer(ranked)) != 0) + 1L
    )
    time <- stats::setNames(sce$dpt_pseudotime, colnames(sce))
    expect_true(all(
        time[record$grouptips[, 1]] <= time[record$grouptips[, 2]]
    ))
    expect_identical(rownames(record$grouptips), levels(groups))
    plain <- computeDPT(fork(), root = 60)
    expect_identical(plain$dpt_pseudotime, sce$dpt_pseudotime)
    expect_null(plain$dpt_groups)
})

test_that("branchings need no root, keep to one component and to their key", {
    sce <- suppressMessages(computeDPT(fork(), n_branchings = 1))
    expect_null(sce$dpt_pseudotime)
    expect_false(anyNA(sce$dpt_groups))
    named <- suppressMessages(
        computeDPT(fork(), n_branchings = 1, root = 1, key_added = "mine")
    )
    expect_true(all(
        c("mine", "mine_groups", "mine_order") %in%
            names(SummarizedExperiment::colData(named))
    ))
    expect_null(named$dpt_groups)
    two <- suppressMessages(suppressWarnings(
        computeDPT(apart(), n_branchings = 1, root = 1)
    ))
    expect_true(all(is.na(two$dpt_groups[31:60])))
    expect_true(all(is.na(two$dpt_order[31:60])))
    expect_false(anyNA(two$dpt_groups[1:30]))
    expect_message(
        computeDPT(fork(), n_branchings = 1, root = 1, min_group_size = 180),
        "0 were found"
    )
})

test_that("both containers give the same", {
    sce <- timed()
    object <- seuratFrom(tree())
    cells <- .cellNames(sce)
    object <- suppressMessages(computeDPT(object, root = "root"))
    expect_equal(
        .readCellData(object, "dpt_pseudotime"), sce$dpt_pseudotime,
        tolerance = 1e-8
    )
    expect_identical(
        .readRecord(object, "dpt_pseudotime")$root,
        .readRecord(sce, "dpt_pseudotime")$root
    )
})

test_that("bad arguments and maps of another graph are refused", {
    sce <- timed()
    dpt <- function(...) computeDPT(sce, root = 1, ...)
    e <- expectFailure(dpt(n_dcs = 99), "range")
    expect_match(conditionMessage(e), "n_comps = 99")
    expectFailure(dpt(n_dcs = 0), "range")
    expectFailure(dpt(basis = "left"), "range")
    expectFailure(dpt(unreachable = "zero"), "range")
    expectFailure(dpt(diffmap_key = "nope"), "missing_key")
    expectFailure(dpt(diffmap_key = "PCA"), "not_computed")
    expectFailure(dpt(neighbors_key = "nope"), "missing_key")
    expectFailure(dpt(key_added = "neighbors"), "container_key_taken")
    expectFailure(dpt(n_dcs = 1, basis = "right"), "no_state")
    expectFailure(computeDPT(diag(4)), "container_class")
    e <- expectFailure(dpt(n_dsc = 4), "unknown_argument")
    expect_match(conditionMessage(e), "n_dcs")
    sce <- buildNeighbors(sce, n_neighbors = 8)
    e <- expectFailure(dpt(), "container_stale")
    expect_match(conditionMessage(e), "computeDiffusionMap")
})

test_that("a large object needs force for branchings", {
    n <- .largestPiece + 1
    graph <- Matrix::bandSparse(n, k = 1, diagonals = list(rep(1, n - 1)))
    e <- expectFailure(.dptRun(
        .job(1), graph + Matrix::t(graph), NULL, 1, list(
            min_group_size = 0.01, n_branchings = 1L, force = FALSE
        )
    ), "range")
    expect_match(conditionMessage(e), "force = TRUE")
})

test_that("a subset object is told what to run again", {
    sce <- timed()[, 1:200]
    e <- expectFailure(computeDPT(sce, root = 1), "container_stale")
    expect_match(conditionMessage(e), "buildNeighbors")
    sce <- buildNeighbors(sce)
    e <- expectFailure(computeDPT(sce, root = 1), "container_stale")
    expect_match(conditionMessage(e), "computeDiffusionMap")
})

test_that("threads and instruction sets do nothing", {
    sce <- fork()
    expectSameBits(function(threads) {
        out <- suppressMessages(computeDPT(
            sce, root = 1, n_branchings = 2, n_threads = threads
        ))
        list(out$dpt_pseudotime, out$dpt_groups, out$dpt_order)
    })
})
