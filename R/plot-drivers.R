# Driver genes of a lineage, drawn on an embedding.

#' Plot the driver genes of a lineage
#'
#' Draws the expression of the genes that correlate most with a lineage, one
#' panel per gene. `plotLineageDrivers()` gives the figure,
#' `plotLineageDriversData()` the numbers in it.
#'
#' Genes without a correlation (constant expression) are left out; if there are
#' fewer than `n_genes`, all are drawn. Cells are drawn by rising expression, so
#' that high values lie on top. Every panel has its own scale. Nothing is
#' stored. Cost: linear in cells x genes drawn. Randomness, threads: not
#' applicable.
#'
#' @inheritParams plotFateProbabilities
#' @param lineage name of a lineage.
#' @param n_genes how many genes to draw.
#' @param assay where to read the expression; NULL is where the drivers were
#'   computed from.
#' @param ascending FALSE: largest correlations first. TRUE: smallest first.
#' @param ncols number of columns of panels.
#' @param title_fmt title of a panel: text with `{gene}`, `{lineage}`, `{corr}`,
#'   `{pval}`, `{qval}`, `{ci_low}` or `{ci_high}`, with an optional format for
#'   the numbers such as `{qval:.4e}` or `{corr:.2f}`.
#' @return `plotLineageDrivers()`: a patchwork object (a ggplot for one gene).
#'   `plotLineageDriversData()`: a data frame with one row per cell and gene and
#'   the columns `cell`, `x`, `y`, `gene` (a factor in the order of the panels),
#'   `expression`, and `corr`, `pval`, `qval` of the gene.
#' @section Conditions: `fatecast_error_not_computed` before
#'   [computeLineageDrivers()], `fatecast_error_missing_key` for an unknown
#'   lineage, assay or embedding, `fatecast_error_range` for a `title_fmt` that
#'   cannot be read, `fatecast_error_no_state` if no gene has a correlation,
#'   `fatecast_error_unknown_argument`.
#' @seealso [drivers()], [computeLineageDrivers()]
#' @examples
#' sce <- simulateDifferentiation(n_cells = 300)
#' fit <- castFates(sce, kernel = "velocity", cluster_key = "cell_type")
#' plotLineageDrivers(fit, lineageNames(fit)[1], n_genes = 4, ncols = 2)
#' @include plot-embedding.R
#' @export
plotLineageDrivers <- function(x, lineage, n_genes = 8, assay = NULL,
                               ascending = FALSE, basis = NULL, ncols = 4,
                               title_fmt = "{gene} qval={qval:.4e}",
                               point_size = NULL, title = NULL, ...) {
    .checkDots(...)
    container <- .plotContainer(x)
    genes <- .topDrivers(x, lineage, n_genes, ascending)
    titles <- .driverTitles(.checkString(title_fmt), genes, lineage)
    embedding <- .plotEmbedding(container, basis)
    expression <- .driverExpression(x, container, assay, genes$feature)
    size <- .pointSize(point_size, ncol(expression), nrow(genes))
    panels <- lapply(seq_len(nrow(genes)), function(at) {
        value <- list(name = titles[at], values = expression[at, ])
        .valuePanel(embedding$data, embedding$name, value, size)
    })
    .arrange(panels, ncols, title)
}

#' @rdname plotLineageDrivers
#' @export
plotLineageDriversData <- function(x, lineage, n_genes = 8, assay = NULL,
                                   ascending = FALSE, basis = NULL, ...) {
    .checkDots(...)
    container <- .plotContainer(x)
    genes <- .topDrivers(x, lineage, n_genes, ascending)
    embedding <- .plotEmbedding(container, basis)$data
    expression <- .driverExpression(x, container, assay, genes$feature)
    cells <- nrow(embedding)
    gene <- rep(seq_len(nrow(genes)), each = cells)
    data.frame(
        embedding[rep(seq_len(cells), nrow(genes)), , drop = FALSE],
        gene = factor(genes$feature[gene], levels = genes$feature),
        expression = as.vector(t(expression)),
        genes[gene, c("corr", "pval", "qval")],
        row.names = NULL
    )
}

# The first rows of the driver table in the direction asked for.
.topDrivers <- function(x, lineage, n_genes, ascending,
                        call = rlang::caller_env()) {
    lineage <- .checkString(lineage, call = call)
    n_genes <- .checkCount(n_genes, call = call)
    ascending <- .checkFlag(ascending, call = call)
    table <- drivers(x, lineage)
    table <- as.data.frame(table)
    table <- table[!is.na(table$corr), , drop = FALSE]
    if (!nrow(table)) {
        .abort(
            "no_state", paste0(
                "No gene has a correlation with the lineage ",
                .someNames(lineage), "."
            ),
            lineage = lineage, call = call
        )
    }
    order <- order(table$corr, decreasing = !ascending, method = "radix")
    table <- table[order, , drop = FALSE]
    rownames(table) <- NULL
    utils::head(table, n_genes)
}

# Genes x cells, dense: a few genes only.
.driverExpression <- function(x, container, assay, genes,
                              call = rlang::caller_env()) {
    assay <- .checkString(assay, null = TRUE, call = call)
    source <- .driverSource(x)
    if (is.null(assay)) assay <- source$assay
    as.matrix(.readAssay(container, assay, genes, source$experiment))
}

# The assay and the experiment that the drivers of `x` were computed with.
.driverSource <- function(x) {
    params <- if (is(x, "Estimator")) {
        x@params[[.stepKey(x, "drivers")]]
    } else {
        .readRecord(x, .keyDrivers())$params
    }
    list(assay = params$assay, experiment = params$experiment)
}

# Fills in "{field}" and "{field:format}" for every gene. What stands outside
# the braces, and the names filled in, are never read as a template.
.driverTitles <- function(title_fmt, genes, lineage,
                          call = rlang::caller_env()) {
    values <- c(
        list(
            gene = genes$feature, feature = genes$feature,
            lineage = rep(lineage, nrow(genes))
        ),
        as.list(genes[intersect(
            c("corr", "pval", "qval", "ci_low", "ci_high"), names(genes)
        )])
    )
    at <- gregexpr("\\{[^{}]*\\}", title_fmt)[[1L]]
    if (at[1L] == -1L) {
        return(rep(title_fmt, nrow(genes)))
    }
    slots <- regmatches(title_fmt, list(at))[[1L]]
    fixed <- regmatches(title_fmt, list(at), invert = TRUE)[[1L]]
    text <- rep(fixed[1L], nrow(genes))
    for (k in seq_along(slots)) {
        text <- paste0(
            text, .fillSlot(slots[k], values, call), fixed[k + 1L]
        )
    }
    text
}

.fillSlot <- function(slot, values, call) {
    inner <- substr(slot, 2L, nchar(slot) - 1L)
    field <- sub(":.*$", "", inner)
    format <- if (grepl(":", inner, fixed = TRUE)) sub("^[^:]*:", "", inner)
    value <- values[[field, exact = TRUE]]
    if (is.null(value)) {
        .abort(
            "range", paste0(
                "`title_fmt` names an unknown field: ", .someNames(field), "."
            ), paste0("Known are ", .someNames(names(values), 20L), "."),
            value = field, choices = names(values), call = call
        )
    }
    if (is.null(format) || !nzchar(format)) {
        return(if (is.numeric(value)) format(value, digits = 4L) else value)
    }
    if (!is.numeric(value) || !grepl("^(\\.[0-9]{1,2})?[efg]$", format)) {
        .abort(
            "range", paste0(
                "`title_fmt` has a format that does not fit `", field, "`: ",
                .someNames(format), "."
            ), "Numbers take formats such as `.4e`, `.2f` or `.3g`.",
            value = format, call = call
        )
    }
    sprintf(paste0("%", format), value)
}
