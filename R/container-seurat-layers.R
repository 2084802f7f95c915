# Expression in Seurat objects: the one place that knows how versions 4 (slots)
# and 5 (layers, possibly split by sample) differ.

# Functions that SeuratObject 4 does not have.
.seuratFive <- function(name) getExportedValue("SeuratObject", name)

.isLayered <- function(a) is(a, "StdAssay")

.layerAliases <- c(logcounts = "data", X = "data")

# The layer meant by an assay name; NULL is log-normalised expression.
.layerName <- function(assay) {
    if (is.null(assay)) {
        return("data")
    }
    if (assay %in% names(.layerAliases)) .layerAliases[[assay]] else assay
}

# Names of the layers of an assay; parts of a split layer appear as they are.
.layerParts <- function(a) {
    if (.isLayered(a)) {
        return(as.character(.seuratFive("Layers")(a)))
    }
    slots <- c("counts", "data", "scale.data")
    slots[vapply(slots, function(s) length(slot(a, s)) > 0L, logical(1))]
}

# The parts that make up a layer: the layer itself, or, when it is split or
# covers only some of the cells, everything called `<layer>.<sample>`.
.partsOf <- function(a, layer) {
    there <- .layerParts(a)
    parts <- there[startsWith(there, paste0(layer, "."))]
    if (!layer %in% there) {
        return(if (.isLayered(a)) parts else character())
    }
    whole <- !.isLayered(a) || !length(parts) ||
        ncol(.layerPart(a, layer)) == ncol(a)
    if (whole) layer else c(layer, parts)
}

.layerPart <- function(a, part) {
    if (!.isLayered(a)) {
        return(slot(a, part))
    }
    m <- slot(a, "layers")[[part]]
    # Version 5.0 lets the matrix of a single cell collapse to a vector when an
    # object is subset.
    m <- if (is.null(dim(m)) && is.atomic(m)) {
        as(matrix(as.double(m), ncol = 1L), "CsparseMatrix")
    } else {
        .seuratFive("LayerData")(a, layer = part)
    }
    dimnames(m) <- list(
        SeuratObject::Features(a, layer = part),
        SeuratObject::Cells(a, layer = part)
    )
    m
}

# A layer in the order of `cells`, its parts joined without touching the
# object; NULL when the assay has no such layer.
#' @importFrom methods slot slot<- new
.readLayer <- function(a, layer, cells, call = rlang::caller_env()) {
    parts <- .partsOf(a, layer)
    if (!length(parts)) {
        return(NULL)
    }
    pieces <- lapply(parts, .layerPart, a = a)
    m <- if (length(pieces) == 1L) {
        pieces[[1L]]
    } else {
        .joinPieces(pieces, layer)
    }
    if (anyDuplicated(colnames(m))) {
        .abort(
            "container_cells", paste0(
                "The layers ", .someNames(parts), " share ",
                sum(duplicated(colnames(m))), " cells."
            ), "Remove one of them, or join them with JoinLayers().",
            key = parts, call = call
        )
    }
    at <- .matchCells(
        colnames(m), cells, paste0("The layer ", .someNames(layer)), call
    )
    if (is.null(at)) m else m[, at, drop = FALSE]
}

# Pieces side by side. Features missing from a piece were not seen there, which
# is a zero for counts and their logarithm; other layers (scaled values) have no
# such value, so that only shared features are kept.
.joinPieces <- function(pieces, layer) {
    features <- lapply(pieces, rownames)
    same <- vapply(features, identical, logical(1), features[[1L]])
    if (all(same)) {
        return(do.call(cbind, pieces))
    }
    if (layer %in% c("counts", "data")) {
        all <- unique(unlist(features))
        return(do.call(cbind, lapply(pieces, .spreadRows, all)))
    }
    shared <- Reduce(intersect, features)
    .inform(paste0(
        "Of the split layer ", .someNames(layer), " only the ",
        .count(length(shared), "feature"), " of all its parts are used."
    ))
    do.call(cbind, lapply(pieces, function(m) m[shared, , drop = FALSE]))
}

# The rows of `m` placed among `features`, zero elsewhere. Sparse.
#' @importFrom Matrix sparseMatrix
.spreadRows <- function(m, features) {
    m <- as(m, "dgCMatrix")
    at <- match(rownames(m), features)
    sparseMatrix(
        i = at[m@i + 1L], p = m@p, x = m@x,
        dims = c(length(features), ncol(m)),
        dimnames = list(features, colnames(m))
    )
}

# Base names of the layers, parts of a split layer counted once.
.layerNames <- function(a) {
    there <- .layerParts(a)
    base <- c("counts", "data", "scale.data")
    split <- vapply(base, function(b) {
        any(startsWith(there, paste0(b, ".")))
    }, logical(1))
    part <- vapply(there, function(l) {
        any(startsWith(l, paste0(base, ".")))
    }, logical(1))
    unique(c(there[!part], base[split]))
}

# Writes a layer; a layered assay takes any name, a slotted one its three.
.setLayer <- function(a, layer, m) {
    if (!.isLayered(a)) {
        slot(a, layer) <- m
        return(a)
    }
    set <- .seuratFive("LayerData<-")
    set(a, layer = layer, value = m)
}
