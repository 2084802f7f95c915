test_that("labels are names, texts given, or none", {
    x <- pagaObject()
    shown <- function(...) ggplot2::layer_data(plotPAGA(x, ...), 3)$label
    expect_identical(shown(), c("root", "A", "B", "C"))
    expect_identical(shown(labels = "kind"), c("root", "A", "B", "C"))
    expect_identical(shown(labels = letters[1:4]), letters[1:4])
    expect_identical(
        shown(labels = c(A = "x", B = "y", C = "z", root = "w")),
        c("w", "x", "y", "z")
    )
    expect_length(plotPAGA(x, labels = FALSE)$layers, 2L)
    expectFailure(plotPAGA(x, labels = "group"), "shape")
    expectFailure(plotPAGA(x, labels = 1:4), "type")
})

test_that("labels keep away from edges", {
    graph <- function(x, y) list(
        nodes = data.frame(x = c(0, x), y = c(0, y)),
        edges = data.frame(from = rep(1L, length(x)), to = seq_along(x) + 1L)
    )
    place <- function(x, y) .freePlace(1L, graph(x, y))
    expect_identical(place(numeric(), numeric()), 1L)
    expect_identical(place(0, 1), 2L)
    expect_identical(place(0, -1), 1L)
    # Edges straight up and down: to a side.
    expect_true(place(c(0, 0), c(1, -1)) > 2L)
    # On the right rim the sides that lead out are the last choice.
    rim <- place(c(0, 0, -9), c(1, -1, 0))
    expect_identical(.labelPlaces$hjust[rim], 1)
})
