# The symmetric walk by its formulas, dense.
denseWalk <- function(k) {
    k <- as.matrix(k)
    q <- colSums(k)
    kernel <- k / outer(q, q)
    z <- sqrt(rowSums(kernel))
    list(walk = kernel / outer(z, z), z = z)
}

chained <- function(n, reach = 4L, weight = 1) {
    far <- abs(outer(seq_len(n), seq_len(n), "-"))
    k <- weight / far
    k[far == 0 | far > reach] <- 0
    names <- paste0("c", seq_len(n))
    dimnames(k) <- list(names, names)
    .asGeneral(k)
}

test_that("eigenpairs are those of the dense walk", {
    sce <- computeDiffusionMap(tree(), n_comps = 8, n_threads = 2)
    k <- cellGraph(tree())
    dense <- denseWalk(k)
    want <- eigen(dense$walk, symmetric = TRUE)
    record <- S4Vectors::metadata(sce)$DiffMap
    expect_equal(record$values, want$values[1:8], tolerance = 1e-10)
    expect_identical(S4Vectors::metadata(sce)$diffmap_evals, record$values)
    map <- SingleCellExperiment::reducedDim(sce, "DiffMap")
    expect_identical(dimnames(map), list(colnames(sce), NULL))
    off <- dense$walk %*% map - sweep(map, 2L, record$values, "*")
    expect_lt(max(sqrt(colSums(off^2))), 1e-8)
    expect_true(all(record$run$residuals <= 1e-10))
    expect_equal(unname(map[, 1L]), unname(dense$z / sqrt(sum(dense$z^2))))
    largest <- apply(map, 2L, function(v) v[which.max(abs(v))])
    expect_true(all(largest > 0))
    expect_equal(crossprod(map), diag(8), tolerance = 1e-9)
})

test_that("every container and the bare graph give the same map", {
    skip_if_not_installed("SeuratObject")
    sce <- tree()
    k <- cellGraph(sce)
    bare <- computeDiffusionMap(k, n_comps = 5)
    expect_named(
        bare, c("values", "vectors", "z", "residuals", "components")
    )
    seurat <- SeuratObject::CreateSeuratObject(
        SummarizedExperiment::assay(sce, "counts")
    )
    seurat <- .writeGraph(seurat, "connectivities", k)
    seurat <- computeDiffusionMap(seurat, n_comps = 5)
    sce <- computeDiffusionMap(sce, n_comps = 5)
    map <- SingleCellExperiment::reducedDim(sce, "DiffMap")
    expect_identical(bare$vectors, map)
    expect_identical(
        unname(SeuratObject::Embeddings(seurat, "diffmap")), unname(map)
    )
    expect_identical(
        SeuratObject::Misc(seurat, "diffmap")$values, bare$values
    )
})

test_that("keys keep runs apart", {
    sce <- tree()
    sce <- .writeGraph(sce, "other", chained(ncol(sce)) |> (\(k) {
        dimnames(k) <- list(colnames(sce), colnames(sce))
        k
    })())
    a <- computeDiffusionMap(sce, n_comps = 4)
    b <- computeDiffusionMap(a, n_comps = 5, obsp = "other", key_added = "line")
    expect_identical(
        SingleCellExperiment::reducedDim(a, "DiffMap"),
        SingleCellExperiment::reducedDim(b, "DiffMap")
    )
    expect_identical(ncol(SingleCellExperiment::reducedDim(b, "line")), 5L)
    expect_identical(parameters(b, "line")$obsp, "other")
    expect_identical(
        parameters(b, "DiffMap")$connectivities_key, "connectivities"
    )
    expect_identical(
        S4Vectors::metadata(b)$diffmap_evals,
        S4Vectors::metadata(a)$DiffMap$values
    )
    expectFailure(
        computeDiffusionMap(a, obsp = "other", neighbors_key = "x"), "range"
    )
    expectFailure(computeDiffusionMap(a, obsp = "none"), "missing_key")
    expectFailure(
        computeDiffusionMap(a, key_added = "neighbors"), "container_key_taken"
    )
})

test_that("both ends of the spectrum count for LM only", {
    # A path is bipartite, so its spectrum is symmetric about zero.
    k <- chained(40L, reach = 1L)
    lm <- computeDiffusionMap(k, n_comps = 4, which = "LM")
    la <- computeDiffusionMap(k, n_comps = 4, which = "LA")
    expect_identical(sum(lm$values < 0), 2L)
    expect_equal(min(lm$values), -1)
    values <- eigen(denseWalk(k)$walk, symmetric = TRUE)$values
    expect_equal(la$values, values[1:4], tolerance = 1e-10)
})

test_that("components come first, and too many of them are told", {
    n <- 30L
    block <- rep(1:3, each = 10L)
    k <- as.matrix(chained(n))
    k[outer(block, block, "!=")] <- 0
    expect_warning(
        out <- computeDiffusionMap(.asGeneral(k), n_comps = 5),
        class = "fatecast_warning_disconnected"
    )
    expect_identical(out$components, 3L)
    expect_equal(out$values[1:3], rep(1, 3))
    for (b in 1:3) {
        expect_identical(unname(out$vectors[, b] != 0), block == b)
    }
    expectQuiet(computeDiffusionMap(.asGeneral(k), n_comps = 8))
})

test_that("threads and the random stream are left alone", {
    k <- cellGraph(tree())
    set.seed(3)
    before <- .Random.seed
    one <- computeDiffusionMap(k, n_comps = 6, n_threads = 1)
    expect_identical(before, .Random.seed)
    expect_identical(computeDiffusionMap(k, n_comps = 6, n_threads = 4), one)
    other <- computeDiffusionMap(k, n_comps = 6, random_state = 9)
    expect_equal(other$vectors, one$vectors, tolerance = 1e-6)
    drawn <- withr::with_seed(5, computeDiffusionMap(k, 6, random_state = NULL))
    expect_identical(
        withr::with_seed(5, computeDiffusionMap(k, 6, random_state = NULL)),
        drawn
    )
})

test_that("bad input is refused", {
    k <- chained(20L)
    expectFailure(computeDiffusionMap(k, n_comps = 2), "range")
    expectFailure(computeDiffusionMap(k, which = "SM"), "range")
    expectFailure(computeDiffusionMap(k, comps = 4), "unknown_argument")
    expectFailure(computeDiffusionMap(smallSCE()), "missing_key")
    expect_warning(
        all <- computeDiffusionMap(k, n_comps = 50),
        class = "fatecast_warning_replaced_argument"
    )
    expect_length(all$values, 19L)
    skewed <- k
    skewed[1, 2] <- 5
    expectFailure(computeDiffusionMap(skewed), "range")
    alone <- k
    alone[7, ] <- 0
    alone[, 7] <- 0
    e <- expectFailure(computeDiffusionMap(alone), "disconnected")
    expect_identical(e$cells, "c7")
    negative <- k
    negative@x[3] <- -1
    expectFailure(computeDiffusionMap(negative), "range")
    sce <- tree()[, -1]
    expectFailure(computeDiffusionMap(sce), "container_stale")
})
