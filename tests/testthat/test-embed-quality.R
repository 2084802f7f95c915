# Data with two strong directions, and those as a layout.
measured <- function(n = 120L) {
    withr::with_seed(1, {
        data <- matrix(rnorm(n * 6), n) %*% diag(c(4, 3, 1, 1, 1, 1))
    })
    rownames(data) <- paste0("c", seq_len(n))
    list(data = data, layout = data[, 1:2])
}

value <- function(out, measure) out$value[out$measure == measure]

# Trustworthiness of `b` for `a` by its definition.
slowTrust <- function(a, b, k) {
    n <- nrow(a)
    order_of <- function(x) {
        d <- as.matrix(dist(x))
        diag(d) <- -1
        t(apply(d, 1L, order))[, -1]
    }
    truth <- order_of(a)
    shown <- order_of(b)
    excess <- vapply(seq_len(n), function(i) {
        sum(pmax(match(shown[i, seq_len(k)], truth[i, ]) - k, 0))
    }, numeric(1))
    1 - 2 / (n * k * (2 * n - 3 * k - 1)) * sum(excess)
}

test_that("measures follow their definitions", {
    m <- measured()
    out <- embeddingQuality(
        m$data, m$layout, n_neighbors = 7, recall_k = c(5, 20), n_threads = 2
    )
    expect_s3_class(out, "data.frame")
    expect_identical(
        out$measure, c(
            "trustworthiness", "continuity", "recall", "recall",
            "triplet_accuracy", "distance_correlation", "local_correlation"
        )
    )
    expect_identical(out$k, c(7L, 7L, 5L, 20L, NA, NA, 7L))
    expect_equal(
        value(out, "trustworthiness"), slowTrust(m$data, m$layout, 7)
    )
    expect_equal(value(out, "continuity"), slowTrust(m$layout, m$data, 7))
    near <- function(x, i, k) {
        order(replace(as.matrix(dist(x))[i, ], i, -1))[1 + seq_len(k)]
    }
    shared <- vapply(seq_len(120L), function(i) {
        length(intersect(near(m$data, i, 20), near(m$layout, i, 20)))
    }, integer(1))
    expect_equal(value(out, "recall")[2], mean(shared) / 20)
    all <- cor(dist(m$data), dist(m$layout), method = "spearman")
    expect_equal(value(out, "distance_correlation"), c(all), tolerance = 0.02)
})

test_that("a copy is perfect", {
    m <- measured()
    out <- embeddingQuality(
        m$data, 2 * m$data + 1, groups = rep(1:6, 20), compare_to = m$data
    )
    expect_equal(out$value, rep(1, nrow(out)), tolerance = 1e-3)
    expect_true(all(c(
        "centroid_correlation", "procrustes", "neighbor_overlap"
    ) %in% out$measure))
})

test_that("containers name their embeddings, groups and second embedding", {
    skip_if_not_installed("SeuratObject")
    sce <- computePCA(tree(), n_components = 10)
    map <- SingleCellExperiment::reducedDim(sce, "PCA")
    SingleCellExperiment::reducedDim(sce, "UMAP") <- map[, 2:3]
    out <- embeddingQuality(sce, groups = "cell_type", compare_to = "PCA")
    bare <- embeddingQuality(
        map, map[, 2:3], groups = sce$cell_type, compare_to = map
    )
    expect_identical(out, bare)
    seurat <- SeuratObject::CreateSeuratObject(
        SummarizedExperiment::assay(sce, "counts")
    )
    seurat <- .writeEmbedding(seurat, "pca", map)
    seurat <- .writeEmbedding(seurat, "umap", map[, 2:3])
    expect_identical(
        embeddingQuality(
            seurat, groups = as.character(sce$cell_type), compare_to = "pca"
        ), out
    )
    # Rows are matched by name.
    expect_identical(
        embeddingQuality(sce, map[rev(seq_len(ncol(sce))), 2:3])$value,
        embeddingQuality(sce)$value
    )
})

test_that("threads and the random stream are left alone", {
    m <- measured(400L)
    set.seed(4)
    before <- .Random.seed
    one <- embeddingQuality(m$data, m$layout, sample = 100, n_threads = 1)
    expect_identical(before, .Random.seed)
    expect_identical(
        embeddingQuality(m$data, m$layout, sample = 100, n_threads = 4), one
    )
    other <- embeddingQuality(
        m$data, m$layout, sample = 100, random_state = 2
    )
    expect_false(identical(other, one))
    expect_equal(other$value, one$value, tolerance = 0.1)
    cosine <- embeddingQuality(m$data, m$layout, metric = "cosine")
    scaled <- embeddingQuality(
        m$data * seq(1, 3, length.out = 400), m$layout, metric = "cosine"
    )
    expect_equal(cosine$value[1:5], scaled$value[1:5], tolerance = 1e-9)
})

test_that("bad input is refused", {
    m <- measured(40L)
    expectFailure(embeddingQuality(m$data), "missing_key")
    expectFailure(embeddingQuality(m$data, m$layout, n_neighbors = 20), "range")
    expectFailure(embeddingQuality(m$data, m$layout, recall_k = 40), "range")
    expectFailure(embeddingQuality(m$data, m$layout, recall_k = "a"), "type")
    short <- unname(m$layout[-1, ])
    expectFailure(embeddingQuality(m$data, short), "shape")
    expectFailure(embeddingQuality(m$data, m$layout, groups = 1:3), "shape")
    expectFailure(
        embeddingQuality(m$data, m$layout, pairs = 3), "unknown_argument"
    )
    expectFailure(
        embeddingQuality(smallSCE(), use_rep = "X", n_neighbors = 3),
        "missing_key"
    )
    bad <- m$layout
    bad[2, 1] <- NA
    expectFailure(embeddingQuality(m$data, bad), "range")
    flat <- embeddingQuality(m$data, 0 * m$layout)
    expect_true(is.nan(value(flat, "distance_correlation")))
    expectFailure(
        embeddingQuality(m$data, m$layout, compare_to = 0 * m$layout),
        "no_state"
    )
})
