# Seurat: the only file, beside container-seurat-layers.R, that knows its slots.
# Slots are used rather than `[[`, because they are the same in versions 4 and 5
# while `[[` searches assays, reductions, graphs and columns in one go.
# `experiment` names an assay. The package is only suggested: methods for its
# class install without it and dispatch once it is loaded.

#' @include container.R
NULL

# The assay asked for, by default the active one.
.seuratAssayName <- function(x, experiment, call = rlang::caller_env()) {
    if (is.null(experiment)) {
        return(slot(x, "active.assay"))
    }
    there <- names(slot(x, "assays"))
    if (!experiment %in% there) {
        .missingKey("Seurat assay", experiment, there, call = call)
    }
    experiment
}

.seuratAssay <- function(x, experiment, call = rlang::caller_env()) {
    slot(x, "assays")[[.seuratAssayName(x, experiment, call)]]
}

.setEntry <- function(x, where, key, value) {
    entries <- slot(x, where)
    entries[[key]] <- value
    slot(x, where, check = FALSE) <- entries
    x
}

# Seurat finds assays, reductions, graphs, neighbours and columns by one name:
# an entry of another kind would be hidden by ours, or hide it.
.checkTaken <- function(x, key, where, call = rlang::caller_env()) {
    kinds <- c(
        assays = "an assay", reductions = "a reduction", graphs = "a graph",
        neighbors = "a neighbour list", images = "an image",
        meta.data = "a column of cells"
    )
    for (other in setdiff(names(kinds), where)) {
        taken <- intersect(key, names(slot(x, other)))
        if (length(taken)) {
            .abort(
                "container_key_taken", paste0(
                    "The key ", .someNames(taken), " is the name of ",
                    kinds[[other]], " of the Seurat object."
                ), paste(
                    "Use another key, or remove it first with",
                    "x[[key]] <- NULL."
                ),
                key = taken, taken_by = other, call = call
            )
        }
    }
}

# A key of letters and digits with one "_" at the end, unlike any in use.
.seuratKey <- function(x, name) {
    plain <- gsub("[^A-Za-z0-9]", "", name)
    if (!nzchar(plain)) {
        plain <- "fate"
    }
    others <- c(slot(x, "assays"), slot(x, "reductions"))
    others <- others[names(others) != name]
    used <- vapply(others, function(o) {
        paste0("", slot(o, "key")[1L])
    }, character(1))
    key <- make.unique(c(sub("_$", "", used), plain), sep = "x")
    paste0(key[length(key)], "_")
}

setMethod(".containerClass", "Seurat", function(x) "Seurat")
setMethod(".cellNames", "Seurat", function(x) {
    cells <- rownames(slot(x, "meta.data"))
    .validNames(cells, length(cells), "cell", "RenameCells()")
})
setMethod(".featureNames", "Seurat", function(x, experiment = NULL) {
    a <- .seuratAssay(x, experiment)
    .validNames(rownames(a), nrow(a), "feature", "rownames(x) <-")
})

# ---- Assays ----

setMethod(".assayNames", "Seurat", function(x, experiment = NULL) {
    name <- .seuratAssayName(x, experiment)
    others <- if (is.null(experiment)) {
        setdiff(names(slot(x, "assays")), name)
    }
    unique(c(.layerNames(slot(x, "assays")[[name]]), others))
})
setMethod(".readAssay", "Seurat", function(x, assay = NULL, features = NULL,
                                          experiment = NULL) {
    cells <- .cellNames(x)
    layer <- .layerName(assay)
    m <- .readLayer(.seuratAssay(x, experiment), layer, cells)
    named <- slot(x, "assays")
    if (is.null(m) && !is.null(assay) && assay %in% names(named)) {
        m <- .readLayer(named[[assay]], "data", cells)
        if (is.null(m)) {
            m <- .readLayer(named[[assay]], "counts", cells)
        }
    }
    if (is.null(m)) {
        .missingKey(
            "assay or layer", if (is.null(assay)) layer else assay,
            .assayNames(x, experiment),
            if (layer == "data") {
                "Normalise the counts first with NormalizeData()."
            }
        )
    }
    .pickFeatures(m, features, if (is.null(assay)) layer else assay)
})
setMethod(".writeAssay", "Seurat", function(x, assay, matrix,
                                           experiment = NULL) {
    name <- .seuratAssayName(x, experiment)
    a <- slot(x, "assays")[[name]]
    features <- rownames(matrix)
    agree <- is.null(features) || setequal(enc2utf8(features), rownames(a))
    layer <- .layerName(assay)
    slots <- c("counts", "data", "scale.data")
    if (agree) {
        matrix <- .assayOrder(matrix, .featureNames(x, name), .cellNames(x))
    }
    if (agree && (.isLayered(a) || layer %in% slots)) {
        a <- .setLayer(a, enc2utf8(layer), matrix)
        return(.setEntry(x, "assays", name, a))
    }
    .newAssay(x, enc2utf8(assay), matrix)
})

# An assay of its own: of a name that is free, or that holds an assay over the
# same features, as an earlier call leaves it.
.newAssay <- function(x, assay, matrix, call = rlang::caller_env()) {
    features <- enc2utf8(as.character(rownames(matrix)))
    matrix <- .assayOrder(matrix, features, .cellNames(x), call)
    .checkTaken(x, assay, "assays", call)
    held <- slot(x, "assays")[[assay]]
    if (!is.null(held) && !setequal(rownames(held), features)) {
        .abort(
            "container_key_taken", paste0(
                "The key ", .someNames(assay), " is the name of an assay ",
                "with other features."
            ), "Use another key.",
            key = assay, taken_by = "assays", call = call
        )
    }
    made <- SeuratObject::CreateAssayObject(data = matrix)
    slot(made, "key") <- .seuratKey(x, assay)
    .setEntry(x, "assays", assay, made)
}

# ---- Embeddings ----

setMethod(".embeddingNames", "Seurat", function(x, experiment = NULL) {
    as.character(names(slot(x, "reductions")))
})
setMethod(".readEmbedding", "Seurat", function(x, key, experiment = NULL) {
    there <- .embeddingNames(x)
    name <- .findEmbedding(key, there)
    if (is.na(name)) {
        .missingKey("embedding", key, there)
    }
    m <- slot(slot(x, "reductions")[[name]], "cell.embeddings")
    what <- paste0("The reduction ", .someNames(name))
    .cellRows(.plainMatrix(m), .cellNames(x), what)
})
setMethod(".writeEmbedding", "Seurat", function(x, key, matrix,
                                               experiment = NULL) {
    key <- enc2utf8(key)
    .checkTaken(x, key, "reductions")
    .warnForeign(x, key, .embeddingNames(x), "embedding")
    m <- .cellRows(.plainMatrix(matrix), .cellNames(x), "The embedding")
    prefix <- .seuratKey(x, key)
    colnames(m) <- paste0(prefix, seq_len(ncol(m)), recycle0 = TRUE)
    reduction <- SeuratObject::CreateDimReducObject(
        embeddings = m, key = prefix,
        assay = .seuratAssayName(x, experiment)
    )
    .setEntry(x, "reductions", key, reduction)
})

# ---- Graphs and distances ----

setMethod(".graphNames", "Seurat", function(x, experiment = NULL) {
    unique(c(names(slot(x, "graphs")), names(slot(x, "neighbors"))))
})
setMethod(".readGraph", "Seurat", function(x, key, experiment = NULL) {
    graph <- slot(x, "graphs")[[key, exact = TRUE]]
    if (is.null(graph) && key %in% names(slot(x, "neighbors"))) {
        near <- .readDistances(x, key)
        there <- which(!is.na(near$indices))
        from <- row(near$indices)[there]
        return(.pairsGraph(
            from, near$indices[there], near$distances[there], .cellNames(x)
        ))
    }
    if (is.null(graph)) {
        .missingGraph(x, key)
    }
    .checkFresh(x, key)
    .cellGraph(graph, .cellNames(x), paste0("The graph ", .someNames(key)))
})
setMethod(".writeGraph", "Seurat", function(x, key, matrix,
                                           experiment = NULL) {
    key <- enc2utf8(key)
    .checkTaken(x, key, "graphs")
    .warnForeign(x, key, names(slot(x, "graphs")), "graph")
    m <- .cellGraph(matrix, .cellNames(x), "The graph")
    graph <- new(
        methods::getClass("Graph", where = asNamespace("SeuratObject")),
        i = m@i, p = m@p, x = m@x, Dim = m@Dim, Dimnames = m@Dimnames,
        assay.used = .seuratAssayName(x, experiment)
    )
    .setEntry(x, "graphs", key, graph)
})

# Positions in a neighbour list count the list's own cells, which may be in
# another order than the object's.
setMethod(".readDistances", "Seurat", function(x, key) {
    near <- slot(x, "neighbors")[[key, exact = TRUE]]
    if (is.null(near)) {
        return(.distanceRows(.readGraph(x, key)))
    }
    .checkFresh(x, key)
    cells <- .cellNames(x)
    found <- enc2utf8(slot(near, "cell.names"))
    what <- paste0("The neighbour list ", .someNames(key))
    .matchCells(found, cells, what)
    place <- match(found, cells)
    to <- place[slot(near, "nn.idx")]
    from <- rep.int(place, ncol(slot(near, "nn.idx")))
    keep <- !is.na(to) & !is.na(from)
    distances <- as.double(slot(near, "nn.dist"))
    .pairRows(from[keep], to[keep], distances[keep], length(cells))
})
setMethod(".writeDistances", "Seurat", function(x, key, indices, distances) {
    key <- enc2utf8(key)
    cells <- .cellNames(x)
    .checkDistances(indices, distances, length(cells))
    .checkTaken(x, key, "neighbors")
    .warnForeign(x, key, names(slot(x, "neighbors")), "neighbour list")
    storage.mode(indices) <- "integer"
    dimnames(indices) <- NULL
    dimnames(distances) <- NULL
    near <- new(
        methods::getClass("Neighbor", where = asNamespace("SeuratObject")),
        nn.idx = indices, nn.dist = distances, alg.idx = NULL,
        alg.info = list(self = FALSE), cell.names = cells
    )
    .setEntry(x, "neighbors", key, near)
})

# ---- Columns ----

setMethod(".cellDataNames", "Seurat", function(x) {
    as.character(names(slot(x, "meta.data")))
})
setMethod(".readCellData", "Seurat", function(x, column) {
    values <- slot(x, "meta.data")
    if (!column %in% names(values)) {
        .missingKey("column of cells", column, names(values))
    }
    .plainColumn(values[[column]])
})
setMethod(".writeCellData", "Seurat", function(x, values) {
    columns <- .cellColumns(values, .cellNames(x))
    .checkTaken(x, names(columns), "meta.data")
    .warnForeign(x, names(columns), .cellDataNames(x), "column of cells")
    meta <- slot(x, "meta.data")
    for (name in names(columns)) {
        meta[[name]] <- columns[[name]]
    }
    slot(x, "meta.data", check = FALSE) <- meta
    x
})

setMethod(".activateLabels", "Seurat", function(x, key) {
    labels <- factor(.readCellData(x, key))
    names(labels) <- .cellNames(x)
    slot(x, "active.ident") <- labels
    x
})

# Features of an assay: a table named by feature in version 4, an unnamed one in
# the order of the features in version 5.
.featureSlot <- function(a) {
    if (.isLayered(a)) "meta.data" else "meta.features"
}
setMethod(".featureDataNames", "Seurat", function(x, experiment = NULL) {
    a <- .seuratAssay(x, experiment)
    as.character(names(slot(a, .featureSlot(a))))
})
setMethod(".readFeatureData", "Seurat", function(x, column,
                                                experiment = NULL) {
    a <- .seuratAssay(x, experiment)
    table <- slot(a, .featureSlot(a))
    if (!column %in% names(table)) {
        .missingKey("column of features", column, names(table))
    }
    .plainColumn(table[[column]])
})
setMethod(".writeFeatureData", "Seurat", function(x, values,
                                                 experiment = NULL) {
    name <- .seuratAssayName(x, experiment)
    a <- slot(x, "assays")[[name]]
    values <- .featureColumns(values, .featureNames(x, name))
    table <- slot(a, .featureSlot(a))
    .warnForeign(x, names(values), names(table), "column of features")
    for (column in names(values)) {
        table[[column]] <- values[[column]]
    }
    slot(a, .featureSlot(a), check = FALSE) <- table
    .setEntry(x, "assays", name, a)
})

# ---- Free-form entries ----

setMethod(".readMisc", "Seurat", function(x) as.list(slot(x, "misc")))
setMethod(".writeMisc", "Seurat", function(x, misc) {
    slot(x, "misc", check = FALSE) <- misc
    x
})
setMethod(".dropResults", "Seurat", function(x, keys) {
    for (where in c("graphs", "neighbors", "reductions")) {
        entries <- slot(x, where)
        kept <- entries[setdiff(names(entries), keys)]
        slot(x, where, check = FALSE) <- kept
    }
    meta <- slot(x, "meta.data")
    gone <- .columnsOf(names(meta), keys)
    slot(x, "meta.data", check = FALSE) <-
        meta[setdiff(names(meta), gone)]
    for (name in names(slot(x, "assays"))) {
        a <- slot(x, "assays")[[name]]
        table <- slot(a, .featureSlot(a))
        gone <- .columnsOf(names(table), keys)
        slot(a, .featureSlot(a), check = FALSE) <-
            table[setdiff(names(table), gone)]
        x <- .setEntry(x, "assays", name, a)
    }
    x
})
# Assays over the same features, as those of spliced and unspliced counts are,
# lose the same ones.
setMethod(".keepFeatures", "Seurat", function(x, features, experiment = NULL) {
    all <- .featureNames(x, experiment)
    kept <- all[all %in% features]
    for (name in names(slot(x, "assays"))) {
        a <- slot(x, "assays")[[name]]
        if (setequal(rownames(a), all)) {
            if (length(kept) == 1L && .isLayered(a)) .oneFeature(kept, name)
            x <- .setEntry(x, "assays", name, subset(a, features = kept))
        }
    }
    x
})

# Version 5 of SeuratObject cannot subset a layered assay to one feature.
.oneFeature <- function(feature, assay, call = rlang::caller_env()) {
    .abort(
        "no_state", paste0(
            "Only ", .someNames(feature), " would be left, and the layered ",
            "assay ", .someNames(assay), " cannot hold a single feature."
        ), "Keep more features.", features = feature, call = call
    )
}
