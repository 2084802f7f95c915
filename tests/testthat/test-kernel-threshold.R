test_that("the hard scheme is what an obvious one gives", {
    for (symmetric in c(TRUE, FALSE)) {
        d <- timeGraph(symmetric = symmetric)
        # K28: fourteen fractions.
        for (frac in c(seq(0, 1, by = 0.1), 0.05, 0.25, 0.99)) {
            expect_identical(
                plain(biasKnn(HardThreshold(frac), d$conn, d$time)),
                unname(slowHard(d$conn, d$time, frac))
            )
        }
    }
})

test_that("the soft scheme is what an obvious one gives", {
    d <- timeGraph(symmetric = FALSE)
    for (nu in c(0.5, 1, 0.3, 2)) {
        for (b in c(0, 0.7, 10, 200)) {
            expect_equal(
                plain(biasKnn(SoftThreshold(b, nu), d$conn, d$time)),
                unname(slowSoft(d$conn, d$time, b, nu)), tolerance = 1e-13
            )
        }
    }
})

test_that("graphs of every class give the same", {
    d <- timeGraph()
    sparse <- methods::as(d$conn, "CsparseMatrix")
    expect_s4_class(sparse, "dsCMatrix")
    rows <- methods::as(
        methods::as(sparse, "generalMatrix"), "RsparseMatrix"
    )
    first <- biasKnn(HardThreshold(), d$conn, d$time)
    expect_s4_class(first, "dgCMatrix")
    expect_identical(dimnames(first), dimnames(d$conn))
    for (m in list(sparse, rows)) {
        expect_identical(biasKnn(HardThreshold(), m, d$time), first)
    }
    whole <- d$conn > 0.5
    expect_identical(
        biasKnn(HardThreshold(), whole, d$time),
        biasKnn(HardThreshold(), whole * 1, d$time)
    )
})

test_that("a function sees its cell and its neighbours", {
    d <- timeGraph(symmetric = FALSE)
    seen <- list()
    keep <- function(cell_pseudotime, neigh_pseudotime, neigh_conn, share) {
        seen[[length(seen) + 1L]] <<- cell_pseudotime
        ifelse(neigh_pseudotime < cell_pseudotime, share, 1) * neigh_conn
    }
    found <- biasKnn(CustomThreshold(keep), d$conn, d$time, share = 0.25)
    expect_identical(unlist(seen), d$time)
    later <- outer(d$time, d$time, ">")
    expect_equal(plain(found), unname(d$conn * ifelse(later, 0.25, 1)))
    # Zeros are no edges, before and after.
    none <- CustomThreshold(function(t, u, w, ...) 0 * w)
    expect_length(biasKnn(none, d$conn, d$time)@x, 0L)
})

test_that("what a function must not return is named", {
    d <- timeGraph()
    bias <- function(fun) biasKnn(CustomThreshold(fun), d$conn, d$time)
    third <- d$time[3]
    short <- function(t, u, w, ...) if (t == third) w[-1] else w
    n <- sum(d$conn[3, ] > 0)
    e <- expectFailure(bias(short), "shape", list(
        cells = "c3", expected = n, found = n - 1L
    ))
    expect_match(conditionMessage(e), "c3")
    expectFailure(bias(function(t, u, w, ...) "a"), "shape")
    expectFailure(
        bias(function(t, u, w, ...) if (t == third) -w else w), "range",
        list(cells = "c3")
    )
    expectFailure(bias(function(t, u, w, ...) w + NA), "range")
    expect_error(bias(function(t, u, w, ...) stop("mine")), "mine")
})

test_that("parameters, times and graphs are checked", {
    d <- timeGraph()
    expectFailure(HardThreshold(1.1), "range", list(value = 1.1))
    expectFailure(HardThreshold("a"), "type")
    expectFailure(SoftThreshold(b = -1), "range")
    expectFailure(SoftThreshold(nu = 0), "range")
    expectFailure(SoftThreshold(b = Inf), "range")
    expectFailure(CustomThreshold("hard"), "type")
    expect_error(methods::new("HardThreshold", frac_to_keep = 2), "0 to 1")
    hard <- HardThreshold()
    expectFailure(
        biasKnn(hard, d$conn, d$time[-1]), "shape",
        list(expected = 60L, found = 59L)
    )
    late <- d$time
    late[7] <- NA
    expectFailure(biasKnn(hard, d$conn, late), "range", list(cells = "c7"))
    named <- stats::setNames(d$time, rev(rownames(d$conn)))
    expectFailure(biasKnn(hard, d$conn, named), "container_cells")
    expectFailure(biasKnn(hard, d$conn[, -1], d$time), "shape")
    expectFailure(biasKnn(hard, -d$conn, d$time), "range")
    alone <- d$conn
    alone[4, ] <- 0
    expectFailure(biasKnn(hard, alone, d$time), "disconnected", list(
        cells = "c4"
    ))
    e <- expectFailure(
        biasKnn(hard, d$conn, d$time, frac = 1), "unknown_argument"
    )
    expect_identical(e$arguments, "frac")
})

test_that("schemes show themselves and can be brought up to date", {
    expect_output(show(HardThreshold(0.4)), "HardThreshold(frac_to_keep = 0.4)",
        fixed = TRUE)
    expect_output(show(SoftThreshold()), "SoftThreshold(b = 10, nu = 0.5)",
        fixed = TRUE)
    expect_output(
        show(CustomThreshold(function(t, u, w, ...) w)),
        "CustomThreshold(fun = function(t, u, w, ...))", fixed = TRUE
    )
    old <- HardThreshold(0.2)
    old@version <- "0.0.1"
    expect_identical(updateObject(old), HardThreshold(0.2))
})

test_that("the same bits on any number of threads", {
    d <- timeGraph(2000L)
    for (scheme in list(HardThreshold(), SoftThreshold(nu = 0.7))) {
        expectSameBits(function(threads) {
            biasKnn(scheme, d$conn, d$time, n_threads = threads)
        })
    }
})
