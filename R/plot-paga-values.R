# What the nodes of a coarse graph show: a number, a category, or the shares of
# several, one per group.

#' @include plot-paga-data.R
NULL

# Colours given as values, or what `read` finds under each name.
.panelValues <- function(color, groups, read, call = rlang::caller_env()) {
    if (is.null(color)) {
        return(list(read(NULL)))
    }
    if (is.list(color)) {
        return(list(.pieValues(color, groups, call)))
    }
    if (is.character(color) && is.null(names(color))) {
        return(lapply(color, function(one) read(.checkString(one))))
    }
    if (!is.numeric(color) && !is.character(color)) {
        .badType(
            color, "names of columns or genes, or one value per group", TRUE,
            "color", call
        )
    }
    color <- .perGroup(color, groups, "color", call)
    if (is.numeric(color)) {
        return(list(list(name = "color", values = as.double(color))))
    }
    list(list(
        name = "color", values = factor(groups, levels = groups), own = TRUE,
        palette = stats::setNames(.asHex(color, "color", call), groups)
    ))
}

# One value per group, in the order of the groups.
.perGroup <- function(values, groups, arg, call = rlang::caller_env()) {
    if (length(values) != length(groups)) {
        .abort(
            "shape", paste0(
                "`", arg, "` must hold one value for each of the ",
                .count(length(groups), "group"), ", not ", length(values), "."
            ),
            argument = arg, groups = groups, call = call
        )
    }
    if (is.null(names(values))) {
        return(values)
    }
    .checkGroupNames(names(values), groups, arg, call)
    unname(values[groups])
}

# Shares of colours per group as a matrix; the colours are their own names.
.pieValues <- function(pies, groups, call = rlang::caller_env()) {
    pies <- .perGroup(pies, groups, "color", call)
    good <- vapply(pies, function(p) {
        is.numeric(unlist(p)) && !is.null(names(unlist(p))) &&
            all(is.finite(unlist(p)) & unlist(p) >= 0)
    }, logical(1))
    if (!all(good)) {
        .abort(
            "type", paste0(
                "`color` must hold shares named by colour; those of ",
                .someNames(groups[!good]), " are not."
            ),
            groups = groups[!good], call = call
        )
    }
    colors <- unique(unlist(lapply(pies, function(p) names(unlist(p)))))
    shares <- t(vapply(pies, function(p) {
        p <- unlist(p)
        p <- tapply(p, factor(names(p), colors), sum, default = 0)
        as.vector(p)
    }, numeric(length(colors))))
    shares <- matrix(shares, length(groups), dimnames = list(groups, colors))
    over <- rowSums(shares) > 1 + 1e-8
    if (any(over)) {
        .abort(
            "range", paste0(
                "The shares of ", .someNames(groups[over]),
                " sum to more than one."
            ),
            groups = groups[over], sums = rowSums(shares)[over], call = call
        )
    }
    palette <- stats::setNames(.asHex(colors, "color", call), colors)
    list(name = "color", shares = shares, palette = palette, own = TRUE)
}

# One value per node: `values` (numbers, or a factor with its `palette`), or
# `shares`, a matrix of groups x categories; `name` is the title.
.pagaValues <- function(x, record, color, solid, dashed, normalize_to_color,
                        pie, assay, experiment, call = rlang::caller_env()) {
    groups <- names(record$sizes)
    if (is.null(color) || identical(color, record$groups)) {
        return(list(
            name = record$groups, values = factor(groups, levels = groups),
            palette = .pagaPalette(x, record), own = TRUE
        ))
    }
    if (color %in% c("degree_solid", "degree_dashed")) {
        m <- if (color == "degree_solid") solid else dashed
        return(list(name = color, values = .pagaDegrees(m, call)))
    }
    cells <- .colorValues(x, color, assay, call, experiment)
    of <- .pagaGroups(x, record, call)
    if (!is.factor(cells$values)) {
        cells$values[!is.finite(cells$values)] <- NA
        means <- tapply(as.double(cells$values), of, mean, na.rm = TRUE)
        means[is.nan(means)] <- NA
        return(list(name = color, values = as.vector(means)))
    }
    .pagaComposition(cells, of, normalize_to_color, pie)
}

# Sum of the edges of a node, as a share of the largest sum.
.pagaDegrees <- function(m, call = rlang::caller_env()) {
    if (is.null(m)) {
        .abort(
            "missing_key", "`color = \"degree_dashed\"` needs `dashed_edges`.",
            argument = "dashed_edges", call = call
        )
    }
    degrees <- unname(rowSums(m))
    if (max(degrees) > 0) degrees / max(degrees) else degrees
}

# The category most associated with each group: of the cells of the group, or
# of those of the category when normalised to the colour.
.pagaComposition <- function(cells, of, normalize_to_color, pie) {
    counts <- unclass(table(of, cells$values))
    categories <- levels(cells$values)
    palette <- .groupColors(categories, cells$palette)
    shares <- counts / pmax(rowSums(counts), 1)
    if (pie) {
        return(list(name = cells$name, shares = shares, palette = palette))
    }
    scores <- shares
    if (normalize_to_color) {
        scores <- sweep(counts, 2L, pmax(colSums(counts), 1), "/")
    }
    best <- max.col(scores, ties.method = "first")
    best[rowSums(counts) == 0] <- NA
    list(
        name = cells$name, palette = palette,
        values = factor(categories[best], levels = categories)
    )
}
