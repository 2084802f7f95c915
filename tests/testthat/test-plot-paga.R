test_that("data hold nodes and edges, in both containers", {
    data <- plotPAGAData(pagaObject())
    sizes <- table(pagaObject()$kind)
    expect_identical(names(data), c("nodes", "edges"))
    expect_identical(data$nodes, data.frame(
        group = factor(names(sizes), levels = names(sizes)),
        x = c(0, 1, 1, 1), y = c(0, 1, 0, -1),
        n_cells = as.integer(sizes)
    ))
    expect_identical(paste(data$edges$from, data$edges$to), c(
        "root A", "root B", "A B", "root C"
    ))
    expect_identical(data$edges$weight, c(0.8, 0.5, 0.02, 0.3))
    expect_identical(data$edges$xend, c(1, 1, 1, 1))
    expect_identical(data$edges$yend, c(1, 0, 0, -1))
    expect_identical(plotPAGAData(pagaSeurat()), data)
})

test_that("edges at the threshold stay, weaker ones go", {
    x <- pagaObject()
    weights <- function(t) plotPAGAData(x, threshold = t)$edges$weight
    expect_identical(weights(0.02), c(0.8, 0.5, 0.02, 0.3))
    expect_identical(weights(0.021), c(0.8, 0.5, 0.3))
    expect_identical(weights(0.9), numeric())
    expect_no_error(drawn(plotPAGA(x, threshold = 0.9)))
    expectFailure(plotPAGA(x, threshold = -1), "range")
})

test_that("a tree stored in one direction is drawn whole, dashed below", {
    data <- plotPAGAData(
        pagaObject(),
        solid_edges = "connectivities_tree", dashed_edges = "connectivities"
    )
    edges <- data$edges
    expect_identical(edges$weight[edges$kind == "solid"], c(0.8, 0.5, 0.3))
    expect_identical(sum(edges$kind == "dashed"), 4L)
    plot <- plotPAGA(
        pagaObject(),
        solid_edges = "connectivities_tree", dashed_edges = "connectivities"
    )
    expect_identical(nrow(ggplot2::layer_data(plot, 1)), 4L)
    expect_identical(nrow(ggplot2::layer_data(plot, 2)), 3L)
    expectFailure(
        plotPAGA(pagaObject(), solid_edges = "distances"), "missing_key"
    )
})

test_that("arrows go from the column to the row and replace solid edges", {
    x <- pagaObject()
    edges <- plotPAGAData(x, transitions = "transitions_confidence")$edges
    arrows <- edges[edges$kind == "transition", ]
    expect_identical(
        paste(arrows$from, arrows$to), c("root A", "root B", "A C")
    )
    expect_identical(arrows$weight, c(0.4, 0.2, 0.05))
    plot <- plotPAGA(x, transitions = "transitions_confidence")
    layer <- ggplot2::layer_data(plot, 1)
    expect_identical(nrow(layer), 3L)
    expect_identical(layer$xend, c(1, 1, 1))
    # They stop at the rims of the nodes.
    diameter <- .nodeDiameter(plotPAGAData(x)$nodes$n_cells)
    expect_equal(layer$rim, diameter[c(1, 1, 2)] / 2)
    expect_equal(layer$rim_end, diameter[2:4] / 2)
    expect_no_error(drawn(plot))
    none <- pagaObject(transitions_confidence = NULL)
    gone <- expectFailure(
        plotPAGA(none, transitions = "transitions_confidence"), "missing_key"
    )
    expect_match(conditionMessage(gone), "use_rna_velocity", fixed = TRUE)
})

test_that("nodes and edges have the sizes of the formula", {
    x <- pagaObject()
    n <- plotPAGAData(x)$nodes$n_cells
    area <- 2000 / (sqrt(4) + 10) * 2 * (n / stats::median(n))^0.25
    expect_equal(.nodeDiameter(n, 2, 0.25)^2, area)
    expect_length(unique(.nodeDiameter(n, power = 0)), 1L)
    # A circle of ggplot2 is three quarters of its font size across.
    size <- .pointsToSize(12, 0.4)
    expect_equal(
        0.75 * (size * ggplot2::.pt + 0.4 * ggplot2::.stroke / 2), 12
    )
    plot <- plotPAGA(x, edge_width_scale = 2, max_edge_width = 10)
    layer <- ggplot2::layer_data(plot, 1)
    points <- layer$linewidth * ggplot2::.pt * 0.75
    expect_equal(points, pmin(15 * c(0.8, 0.5, 0.02, 0.3), 10))
    thick <- ggplot2::layer_data(plotPAGA(x, min_edge_width = 3), 1)
    expect_equal(min(thick$linewidth) * ggplot2::.pt * 0.75, 3)
})

test_that("the largest component can stand alone", {
    x <- pagaObject()
    data <- plotPAGAData(
        x,
        threshold = 0.4, single_component = TRUE, color = "up"
    )
    expect_identical(levels(data$nodes$group), c("root", "A", "B"))
    whole <- plotPAGAData(x, color = "up")$nodes
    expect_identical(data$nodes$x, whole$x[1:3])
    expect_identical(data$nodes$up, whole$up[1:3])
    expect_identical(nrow(data$edges), 2L)
    plot <- plotPAGA(x, threshold = 0.4, single_component = TRUE)
    expect_identical(
        ggplot2::layer_data(plot, 3)$label, c("root", "A", "B")
    )
    expect_no_error(drawn(plot))
    edges <- data.frame(from = c(4, 2, 5), to = c(5, 3, 6))
    expect_identical(.largestComponent(edges, 6), 1:6 > 3)
    expectFailure(plotPAGA(
        x,
        single_component = TRUE, dashed_edges = "connectivities_tree"
    ), "range")
})

test_that("several colours make panels", {
    x <- pagaObject()
    plot <- plotPAGA(x, color = c("kind", "up"), title = "All")
    expect_s3_class(plot, "patchwork")
    expect_identical(plot[[1]]$labels$title, "kind")
    expect_identical(plot$patches$annotation$title, "All")
    expect_null(plotPAGA(x)$labels$title)
    expect_identical(plotPAGA(x, title = "T")$labels$title, "T")
    expect_s3_class(plotPAGA(x), "ggplot")
})

test_that("a graph of other cells or groups is refused", {
    x <- pagaObject()
    expectFailure(
        plotPAGA(x[, -1]), "container_stale", list(verb = "computePAGA")
    )
    x$kind[1] <- "C"
    expect_no_error(plotPAGA(x))
    expectFailure(
        plotPAGA(x, color = "up"), "container_stale", list(key = "kind")
    )
    x$kind <- NULL
    expect_no_error(plotPAGA(x))
    expectFailure(plotPAGA(x, color = "up"), "missing_key")
})

test_that("wrong arguments are refused and nothing is stored", {
    x <- pagaObject()
    before <- x
    plotPAGA(x)
    expect_identical(x, before)
    expectFailure(plotPAGA(plotObject()), "not_computed", list(key = "paga"))
    expectFailure(plotPAGA(x, key = "other"), "not_computed")
    expectFailure(plotPAGA(x, color = "nothing"), "missing_key")
    expectFailure(plotPAGA(x, color = TRUE), "type")
    expectFailure(plotPAGA(x, nodesize = 2), "unknown_argument")
    expectFailure(plotPAGA(x, node_size_scale = 0), "range")
    expectFailure(plotPAGA(diag(3)), "container_class")
})
