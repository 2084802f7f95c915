# What Leiden and Louvain share: quality functions, restriction to some groups,
# keys, labels, and how a clustering is stored.

#' @include container.R record.R
NULL

.partitionTypes <- c(
    "RBConfiguration", "Modularity", "RBER", "CPM", "Significance", "Surprise"
)
.withoutResolution <- c("Modularity", "Significance", "Surprise")
.withNodeSizes <- c("RBER", "CPM", "Significance", "Surprise")

# leidenalg's class names are understood by their stem.
.partitionType <- function(type, call = rlang::caller_env()) {
    if (is.null(type)) {
        return("RBConfiguration")
    }
    if (is.character(type) && length(type) == 1L && !is.na(type)) {
        type <- sub("VertexPartition$", "", type)
    }
    .checkChoice(
        type, .partitionTypes, arg = "partition_type", call = call
    )
}

# A list of resolutions, or list(NULL) where the type has none.
.checkResolution <- function(resolution, type, stated,
                             call = rlang::caller_env()) {
    if (type %in% .withoutResolution) {
        if (stated && !is.null(resolution)) {
            .abort(
                "range", paste0(
                    "The partition type ", type, " has no resolution."
                ), paste(
                    "Leave `resolution` out, or use",
                    "partition_type = \"RBConfiguration\"."
                ), argument = "resolution", value = resolution, call = call
            )
        }
        return(list(NULL))
    }
    if (is.null(resolution)) {
        return(list(NULL))
    }
    ok <- is.numeric(resolution) && length(resolution) &&
        all(is.finite(resolution)) && (type == "CPM" || all(resolution >= 0))
    if (!ok || anyDuplicated(resolution)) {
        .abort(
            if (is.numeric(resolution)) "range" else "type", paste0(
                "`resolution` must be one or several different, finite, ",
                "non-negative numbers, not ", .describe(resolution), "."
            ), argument = "resolution", value = resolution, call = call
        )
    }
    as.list(as.double(resolution))
}

# ---- Which cells ----

# The cells to cluster: their graph, positions and the labels of all; without
# restriction only the graph.
.restrictTo <- function(x, restrict_to, graph, call = rlang::caller_env()) {
    if (is.null(restrict_to)) {
        return(NULL)
    }
    ok <- is.list(restrict_to) && length(restrict_to) == 2L &&
        is.character(restrict_to[[1L]]) && length(restrict_to[[1L]]) == 1L
    if (!ok) {
        .abort(
            "type", paste0(
                "`restrict_to` must be list(key, categories), not ",
                .describe(restrict_to), "."
            ), argument = "restrict_to", call = call
        )
    }
    key <- restrict_to[[1L]]
    labels <- as.character(.readCellData(x, key))
    categories <- unique(as.character(restrict_to[[2L]]))
    there <- .naturalSort(unique(labels[!is.na(labels)]))
    unknown <- setdiff(categories, there)
    if (length(unknown) || !length(categories)) {
        .missingKey(
            paste0("category of ", .someNames(key)),
            if (length(unknown)) unknown else "<none>", there, call = call
        )
    }
    at <- which(labels %in% categories)
    list(
        key = key, categories = categories, at = at, labels = labels,
        graph = graph[at, at, drop = FALSE]
    )
}

# Vectors over the cells, checked and in their order.
.nodeArguments <- function(cells, initial, sizes, fixed, type,
                           call = rlang::caller_env()) {
    column <- function(value, name) {
        if (!is.null(value)) .cellColumn(value, name, NULL, cells, call)
    }
    start <- .initialLabels(column(initial, "initial_membership"), call)
    sizes <- .nodeSizes(column(sizes, "node_sizes"), type, call)
    fixed <- column(fixed, "is_membership_fixed")
    if (!is.null(fixed) && (!is.logical(fixed) || anyNA(fixed))) {
        .badType(
            fixed, "TRUE or FALSE for every cell", TRUE,
            "is_membership_fixed", call
        )
    }
    if (!is.null(fixed) && is.null(start$initial)) {
        .conflict(
            "Fixed cells need a membership to keep.",
            "Give `initial_membership` too.", "is_membership_fixed", call
        )
    }
    c(start, list(sizes = sizes, fixed = fixed))
}

# Codes counted from zero, and the names they stand for: whole numbers stand
# for themselves.
.initialLabels <- function(labels, call) {
    if (is.null(labels)) {
        return(list(initial = NULL, names = NULL))
    }
    if (anyNA(labels)) {
        .abort(
            "range", paste0(
                "`initial_membership` is missing for ",
                .count(sum(is.na(labels)), "cell"), "."
            ), argument = "initial_membership", call = call
        )
    }
    text <- as.character(labels)
    if (all(grepl("^[0-9]{1,9}$", text))) {
        return(list(initial = as.integer(text), names = NULL))
    }
    names <- .naturalSort(unique(text))
    list(initial = match(text, names) - 1L, names = names)
}

.nodeSizes <- function(sizes, type, call) {
    if (is.null(sizes)) {
        return(NULL)
    }
    if (!type %in% .withNodeSizes) {
        .conflict(
            paste0("The partition type ", type, " takes no `node_sizes`."),
            paste0("Types that do: ", .someNames(.withNodeSizes), "."),
            "node_sizes", call
        )
    }
    ok <- is.numeric(sizes) && !anyNA(sizes) && all(sizes >= 1) &&
        all(sizes == round(sizes)) && all(sizes <= .Machine$integer.max)
    if (!ok) {
        .abort(
            "range", "`node_sizes` must be positive whole numbers.",
            argument = "node_sizes", call = call
        )
    }
    as.integer(sizes)
}

# ---- Keys ----

# One key per resolution, none of which may belong to another verb.
.clusterKeys <- function(x, key_added, resolution, part, default, verb,
                         call = rlang::caller_env()) {
    many <- length(resolution) > 1L
    named <- many && length(key_added) == length(resolution)
    if (named) {
        keys <- vapply(key_added, .checkString, "", arg = "key_added",
            call = call, USE.NAMES = FALSE)
    } else {
        keys <- .checkString(key_added, arg = "key_added", call = call)
        if (!is.null(part) && keys == default) keys <- paste0(default, "_R")
        if (many) {
            keys <- paste0(keys, "_", vapply(resolution, format, ""))
        }
    }
    if (anyDuplicated(keys)) {
        .abort(
            "duplicate_names", "`key_added` names one key twice.",
            argument = "key_added", key = keys[duplicated(keys)], call = call
        )
    }
    for (key in keys) .checkKeyFree(x, key, verb, call)
    keys
}

# ---- Running ----

# The graph with the weights that count.
.clusterGraph <- function(graph, settings, call) {
    type <- settings$partition_type
    if (!settings$use_weights || type == "Significance") {
        graph <- Matrix::drop0(graph)
        if (settings$use_weights && !all(graph@x == graph@x[1L])) {
            .warn("replaced_argument", paste(
                "Significance is defined without weights: every edge counts",
                "one."
            ), "Use `use_weights = FALSE` to say so.",
            argument = "use_weights")
        }
        graph@x[] <- 1
    }
    empty <- sum(tabulate(graph@i + 1L, nrow(graph)) == 0L)
    if (empty > 0.01 * nrow(graph)) {
        .warn("disconnected", paste0(
            .count(empty, "cell"), " of ", nrow(graph),
            " have no edge; each is a cluster of its own."
        ), "Use more neighbours in buildNeighbors().", n_cells = empty)
    }
    graph
}

# One clustering per resolution: list of core results with labels as factors.
.clusterEach <- function(job, run, graph, part, nodes, settings, resolution,
                         keys) {
    at <- part$at
    if (!is.null(at)) {
        graph <- part$graph
        nodes[c("initial", "sizes", "fixed")] <- lapply(
            nodes[c("initial", "sizes", "fixed")], function(v) v[at]
        )
    }
    graph <- .clusterGraph(graph, settings, job$call)
    out <- lapply(resolution, function(r) {
        result <- run(job, graph, nodes, settings, r)
        labels <- .clusterNames(result$labels, nodes)
        result$labels <- .labelFactor(labels, part)
        result["resolution"] <- list(r)
        result
    })
    names(out) <- keys
    for (key in keys) .warnUnconverged(out[[key]], key, settings)
    out
}

.warnUnconverged <- function(result, key, settings) {
    if (isFALSE(result$converged) && settings$n_iterations < 0) {
        .warn("not_converged", paste0(
            "`", key, "` still improved after ", result$iterations,
            " iterations; the last labels are returned."
        ), iterations = result$iterations)
    }
}

# Labels as text. Fixed communities that came with names keep them; the others
# get the smallest free numbers in their order.
.clusterNames <- function(codes, nodes) {
    if (is.null(nodes$names) || is.null(nodes$fixed) || !any(nodes$fixed)) {
        return(as.character(codes))
    }
    kept <- unique(nodes$initial[nodes$fixed])
    others <- sort(setdiff(codes, kept))
    free <- setdiff(
        as.character(seq_len(length(others) + length(nodes$names)) - 1L),
        nodes$names
    )
    names <- c(nodes$names[kept + 1L], free[seq_along(others)])
    names[match(codes, c(kept, others))]
}

# Factor with levels in natural order, restricted labels put among the others.
.labelFactor <- function(labels, part) {
    if (!is.null(part)) {
        inside <- paste0(paste(part$categories, collapse = "-"), ",", labels)
        labels <- part$labels
        labels[part$at] <- inside
    }
    factor(labels, levels = .naturalSort(unique(labels[!is.na(labels)])))
}

# Digits compare as numbers: "2" before "10".
.naturalSort <- function(x) {
    pieces <- regmatches(x, gregexpr("[0-9]+|[^0-9]+", x))
    padded <- vapply(pieces, function(p) {
        digits <- grepl("^[0-9]", p)
        width <- pmax(0L, 20L - nchar(p[digits]))
        p[digits] <- paste0(strrep("0", width), p[digits])
        paste(p, collapse = "")
    }, "")
    x[order(padded, x, method = "radix")]
}

# ---- Storing ----

.storeClusters <- function(x, clustered, verb, settings, nodes, found, part,
                           job, set_idents) {
    cells <- rownames(found$matrix)
    if (.containerClass(x) == "matrix") {
        results <- lapply(clustered, function(result) {
            names(result$labels) <- cells
            result[c(
                "labels", "quality", "modularity", "n_clusters", "iterations",
                "converged"
            )]
        })
        return(if (length(results) == 1L) results[[1L]] else results)
    }
    x <- .writeCellData(x, lapply(clustered, function(r) r$labels))
    for (key in names(clustered)) {
        record <- .clusterRecord(
            verb, clustered[[key]], settings, nodes, found, part, job, cells
        )
        x <- .writeRecord(x, key, record, nested = FALSE)
    }
    if (set_idents) x <- .activateLabels(x, names(clustered)[1L])
    x
}

.clusterRecord <- function(verb, result, settings, nodes, found, part, job,
                           cells) {
    restricted <- if (!is.null(part)) {
        list(key = part$key, categories = part$categories)
    }
    params <- c(
        list(resolution = result$resolution), settings, list(
            restrict_to = restricted, initial_membership = nodes$initial,
            node_sizes = nodes$sizes, is_membership_fixed = nodes$fixed,
            adjacency = found$source$adjacency,
            neighbors_key = found$source$neighbors_key,
            obsp = found$source$obsp, connectivities_key = found$key
        )
    )
    record <- .record(
        verb, params = params, run = .run(
            job, iterations = result$iterations, converged = result$converged
        ), cells = cells
    )
    record$modularity <- result$modularity
    record$quality <- result$quality
    record$n_clusters <- result$n_clusters
    record
}
