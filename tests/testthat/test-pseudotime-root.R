test_that("a root can be a cell, a label or the end of a component", {
    sce <- timed()
    root <- function(...) {
        .readRecord(computeDPT(sce, ...), "dpt_pseudotime")$root
    }
    expect_identical(root(root = colnames(sce)[7]), colnames(sce)[7])
    expect_identical(root(root = 7), colnames(sce)[7])
    by_label <- root(root = "root")
    expect_identical(root(root = list("cell_type", "root")), by_label)
    expect_identical(
        root(root = list(level = "root", key = "cell_type")), by_label
    )
    expect_identical(root(root = "root", root_key = "cell_type"), by_label)
    v <- .readEmbedding(sce, "DiffMap")
    expect_identical(
        root(root = list(component = 1, end = "max")),
        rownames(v)[which.max(v[, 2])]
    )
    expect_identical(
        root(root = list(component = 2, end = "min")),
        rownames(v)[which.min(v[, 3])]
    )
})

test_that("the root of a label lies away from the other cells", {
    sce <- fork()
    sce$arm <- rep(c("left", "up", "down"), each = 60)
    for (arm in c("left", "up", "down")) {
        out <- computeDPT(sce, root = arm)
        at <- match(.readRecord(out, "dpt_pseudotime")$root, colnames(sce))
        expect_identical(sce$arm[at], arm)
        # Among the outer third of its arm, whose cells run from the centre.
        expect_gt((at - 1) %% 60, 40)
    }
})

test_that("an ambiguous or unknown root is explained", {
    sce <- timed()
    sce$other <- ifelse(seq_len(ncol(sce)) < 50, "root", "rest")
    e <- expectFailure(computeDPT(sce, root = "root"), "range")
    expect_identical(e$key, c("cell_type", "other"))
    expect_match(conditionMessage(e), "list(\"other\", \"root\")", fixed = TRUE)
    # The same cells under two names are no ambiguity.
    sce$other <- as.character(sce$cell_type)
    out <- computeDPT(sce, root = "root")
    expect_identical(out$dpt_pseudotime, timed()$dpt_pseudotime)
    e <- expectFailure(computeDPT(sce, root = "rooot"), "missing_key")
    expect_match(conditionMessage(e), "Did you mean `root`")
    dpt <- function(...) computeDPT(sce, root = list(...))
    expectFailure(dpt("cell_type", "no"), "missing_key")
    expectFailure(dpt("no", "root"), "missing_key")
    expectFailure(computeDPT(sce, root = list(1, 2, 3)), "type")
    expectFailure(computeDPT(sce, root = 0), "range")
    expectFailure(computeDPT(sce, root = ncol(sce) + 1), "range")
    expectFailure(computeDPT(sce, root = list(component = 99)), "range")
    e <- expectFailure(
        computeDPT(sce, key_added = "second"), "missing_key"
    )
    expect_identical(e$argument, "root")
})

test_that("the stored root is found again by its name", {
    sce <- timed()
    root <- .readRecord(sce, "dpt_pseudotime")$root
    again <- computeDPT(sce)
    expect_identical(again$dpt_pseudotime, sce$dpt_pseudotime)
    moved <- sce[, rev(seq_len(ncol(sce)))]
    expect_equal(rev(computeDPT(moved)$dpt_pseudotime), sce$dpt_pseudotime)
    kept <- sce[, union(root, colnames(sce)[1:300])]
    kept <- computeDiffusionMap(buildNeighbors(kept, 15))
    out <- computeDPT(kept)
    expect_identical(.readRecord(out, "dpt_pseudotime")$root, root)
    gone <- sce[, setdiff(colnames(sce), root)]
    gone <- computeDiffusionMap(buildNeighbors(gone, 15))
    e <- expectFailure(computeDPT(gone), "missing_key")
    expect_identical(e$key, root)
})
