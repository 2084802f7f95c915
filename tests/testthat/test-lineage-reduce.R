i <- 1:12
raw <- cbind(
    A = 1 + sin(i), B = 2 + cos(2 * i), C = (i / 12)^2 + 0.3,
    D = 1.5 + sin(3 * i + 1), E = 0.4 + (i %% 5) / 7 + i / 100
)
x <- Lineage(raw / rowSums(raw))
m <- as.matrix(x)
keys <- c("D, A", "C")

# The shares CellRank 2.0.7 gives on this matrix for the keys "D, A" and "C"
# (rows B and E, by columns), with softmax at scale 2 and with scaling alone.
peer <- list(
    cosine_sim = list(
        softmax = c(0.506226134855864, 0.519006542298726),
        scale = c(0.506226456691931, 0.519015705027762)
    ),
    wasserstein_dist = list(
        softmax = c(0.742543791048509, 0.7497359501833),
        scale = c(0.764808050865898, 0.774301129593779)
    ),
    kl_div = list(
        softmax = c(0.550398793248445, 0.703680082454778),
        scale = c(0.550570527871428, 0.716221037836939)
    ),
    js_div = list(
        softmax = c(0.523133175724295, 0.610330565641527),
        scale = c(0.523149703057634, 0.612175486444834)
    ),
    mutual_info = list(
        softmax = c(0.880797077977882, 0.119202922022118), scale = c(1, 0)
    ),
    equal = list(softmax = c(0.5, 0.5), scale = c(0.5, 0.5))
)

reduce <- function(..., quiet = TRUE) {
    run <- if (quiet) suppressWarnings else identity
    run(reduceLineages(x, keys, ..., return_weights = TRUE))
}

test_that("every measure and normalisation gives the shares of the peer", {
    for (measure in names(peer)) {
        for (how in c("softmax", "scale")) {
            out <- reduce(
                dist_measure = measure, normalize_weights = how,
                softmax_scale = 2
            )
            first <- peer[[measure]][[how]]
            expect_equal(
                unname(out$weights), cbind(first, 1 - first),
                tolerance = 1e-12, ignore_attr = TRUE, info = measure
            )
            expect_identical(
                dimnames(out$weights), list(c("B", "E"), c("A, D", "C"))
            )
            by_hand <- cbind(m[, "A"] + m[, "D"], m[, "C"]) +
                m[, c("B", "E")] %*% out$weights
            expect_equal(
                unname(as.matrix(out$lineages)), unname(by_hand),
                tolerance = 1e-14
            )
            expect_equal(rowSums(out$lineages), rep(1, 12), tolerance = 1e-14)
        }
    }
    one <- reduce(dist_measure = "js_div", softmax_scale = 2)$lineages
    expect_equal(
        as.vector(t(one[1:2, ])), c(
            0.745906748291548, 0.254093251708452, 0.806891068199582,
            0.193108931800418
        ), tolerance = 1e-12
    )
    expect_identical(
        lineageColors(one), c("A, D" = "#9523c5", C = "#279e68")
    )
})

# Kraskov's estimator, all pairs compared.
information <- function(a, b) {
    scaled <- function(v) v / sqrt(mean((v - mean(v))^2))
    dx <- abs(outer(scaled(a), scaled(a), "-"))
    dy <- abs(outer(scaled(b), scaled(b), "-"))
    n <- length(a)
    both <- pmax(dx, dy)
    diag(both) <- Inf
    third <- apply(both, 1, function(row) sort(row)[3])
    # Strictly within the third neighbour, the cell itself included.
    nx <- rowSums(dx < third)
    ny <- rowSums(dy < third)
    max(0, digamma(n) + digamma(3) - mean(digamma(nx)) - mean(digamma(ny)))
}

test_that("mutual information is that of all pairs, and of the peer", {
    n <- 300
    at <- seq_len(n)
    a <- 1 + sin(1.7 * at) + 0.001 * at
    parts <- cbind(
        A = a, B = 3 + cos(5 * at) / 2 + 0.3 * a^2, C = 2 + sin(at^2),
        D = 1 + (at * 0.618) %% 1
    )
    lineage <- Lineage(parts / rowSums(parts))
    p <- as.matrix(lineage)
    # Two of the lineages tell nothing of each other.
    expect_warning(
        w <- reduceLineages(
            lineage, c("A", "B"), normalize_weights = "scale",
            return_weights = TRUE
        )$weights,
        class = "fatecast_warning_fallback"
    )
    expected <- outer(c("C", "D"), c("A", "B"), Vectorize(function(q, r) {
        information(p[, q], p[, r])
    }))
    expect_equal(
        unname(w), expected / rowSums(expected), tolerance = 1e-12
    )
    # mutual_info_regression() of scikit-learn, on unnormalised values.
    at <- 1:200
    u <- sin(at * 1.7) + 0.001 * at
    v <- u^2 + 0.2 * cos(5 * at)
    expect_equal(
        .unwrap(rs_lineage_weights(u, v, 200L, "mutual_info", 1L, NULL)),
        1.0341748427669177, tolerance = 1e-8
    )
})

test_that("scaling divides what is kept by its sum", {
    expect_warning(
        out <- reduceLineages(x, keys, mode = "scale", return_weights = TRUE),
        class = "fatecast_warning_fallback"
    )
    expect_null(out$weights)
    kept <- cbind(m[, "A"] + m[, "D"], m[, "C"])
    expect_equal(
        unname(as.matrix(out$lineages)), unname(kept / rowSums(kept)),
        tolerance = 1e-15
    )
    fates <- Lineage(rbind(c(0, 0, 1), c(0.2, 0.3, 0.5)))
    expect_identical(
        as.vector(reduceLineages(fates, c("1", "2"), mode = "scale")[1, ]),
        c(0.5, 0.5)
    )
})

test_that("one key is certain, all keys are the input", {
    for (mode in c("dist", "scale")) {
        one <- reduceLineages(x, "C, A", mode = mode)
        expect_identical(as.vector(one), rep(1, 12))
        expect_identical(
            lineageColors(one), lineageColors(mixLineages(x, "A, C"))
        )
    }
    expect_identical(
        reduceLineages(x, "B", return_weights = TRUE)$weights,
        matrix(1, 4, 1, dimnames = list(c("A", "C", "D", "E"), "B"))
    )
    expect_warning(
        all <- reduceLineages(x, rev(LETTERS[1:5])),
        class = "fatecast_warning_fallback"
    )
    expect_identical(all, x[, rev(LETTERS[1:5])])
    joint <- suppressWarnings(reduceLineages(x, c("A, B", "C, D, E")))
    expect_identical(joint, mixLineages(x, c("A, B", "E, D, C")))
})

test_that("a lineage within the name of another is another lineage", {
    names <- c("EN", "Posterior EN", "N", "D", "E")
    named <- Lineage(x, names = names)
    out <- reduceLineages(
        named, c("Posterior EN", "D"), dist_measure = "cosine_sim",
        return_weights = TRUE
    )
    expect_identical(rownames(out$weights), c("EN", "N", "E"))
})

test_that("cells without values stay without, and change nothing else", {
    gap <- rbind(x[1:6, ], NA, x[7:12, ])
    gap <- Lineage(gap, colors = lineageColors(x))
    for (measure in names(peer)) {
        out <- suppressWarnings(
            reduceLineages(gap, keys, dist_measure = measure)
        )
        whole <- reduce(dist_measure = measure)$lineages
        expect_identical(as.vector(out[-7, ]), as.vector(whole))
        expect_true(all(is.na(out[7, ])) && !any(is.nan(out[7, ])))
    }
})

test_that("cells with a zero do not count for distances", {
    sure <- Lineage(rbind(m, diag(5)), colors = lineageColors(x))
    for (measure in c("wasserstein_dist", "kl_div", "js_div")) {
        expect_identical(
            reduceLineages(
                sure, keys, dist_measure = measure, return_weights = TRUE
            )$weights, reduce(dist_measure = measure)$weights
        )
    }
})

test_that("what cannot be reduced is an error that says why", {
    e <- expectFailure(
        reduceLineages(Lineage(m * c(1.1, rep(1, 11))), keys),
        "not_stochastic", list(cells = 1L, n_cells = 1L)
    )
    expectFailure(reduceLineages(x, character()), "shape")
    expectFailure(reduceLineages(x, "F"), "missing_key")
    expectFailure(reduceLineages(x, c("A", "A, B")), "duplicate_names")
    expectFailure(reduceLineages(x, keys, mode = "foo"), "range")
    expectFailure(reduceLineages(x, keys, dist_measure = "foo"), "range")
    expectFailure(reduceLineages(x, keys, normalize_weights = "foo"), "range")
    expectFailure(reduceLineages(x, keys, softmax_scale = -1), "range")
    expectFailure(reduceLineages(x, keys, method = "equal"), "unknown_argument")
    expectFailure(reduceLineages(x[1:3, ], keys), "range", list(value = 3))
    # B and C do not differ as distributions.
    twins <- Lineage(cbind(
        A = m[, 1], B = (1 - m[, 1]) / 3, C = (1 - m[, 1]) * 2 / 3
    ))
    for (measure in c("wasserstein_dist", "kl_div", "js_div")) {
        e <- expectFailure(
            reduceLineages(twins, c("A", "B"), dist_measure = measure),
            "range", list(pairs = "C and B")
        )
    }
    ends <- Lineage(diag(4)[rep(1:4, 3), ])
    e <- expectFailure(
        reduceLineages(ends, c("1", "2"), dist_measure = "kl_div"), "range"
    )
    expect_match(conditionMessage(e), "a positive value in every lineage")
    none <- Lineage(cbind(m[, 1], 1 - m[, 1], 0))
    expectFailure(
        reduceLineages(none, c("1", "2"), dist_measure = "cosine_sim"),
        "range", list(pairs = c("3 and 1", "3 and 2"))
    )
})

test_that("weights of zero are told", {
    ends <- Lineage(diag(3)[rep(1:3, 4), ])
    expect_warning(
        out <- reduceLineages(
            ends, c("1", "2"), dist_measure = "cosine_sim",
            normalize_weights = "scale", return_weights = TRUE
        ),
        class = "fatecast_warning_fallback"
    )
    expect_identical(as.vector(out$weights), c(0.5, 0.5))
})

test_that("the same bits on any number of threads", {
    at <- seq_len(9000)
    p <- cbind(1 + sin(at), 1 + cos(at / 3), (at * 0.618) %% 1, 0.1 + at / 9000)
    big <- Lineage(p / rowSums(p))
    for (measure in names(peer)) {
        expectSameBits(function(threads) {
            suppressWarnings(reduceLineages(
                big, c("1", "2"), dist_measure = measure,
                return_weights = TRUE, n_threads = threads
            ))
        })
    }
})
