# Which entries an object holds, slot by slot, and the object with some of them
# only. This file speaks of the slots of every container, since a slot is kept
# or not in the same way in all of them. Slots have the names that the class
# itself uses; those of the other class are understood too.

#' @include container.R
NULL

setGeneric(".slotEntries", function(x) standardGeneric(".slotEntries"))
setGeneric(
    ".keepEntries", function(x, keep) standardGeneric(".keepEntries"),
    signature = "x"
)

.slotAliases <- list(
    SingleCellExperiment = c(
        layers = "assays", meta.data = "colData", meta.features = "rowData",
        reductions = "reducedDims", graphs = "colPairs", misc = "metadata"
    ),
    Seurat = c(
        layers = "assays", colData = "meta.data", rowData = "meta.features",
        reducedDims = "reductions", colPairs = "graphs", metadata = "misc"
    )
)

# `keep` of a user as a list of the keys to keep in every slot.
.keptEntries <- function(x, keep, call = rlang::caller_env()) {
    there <- .slotEntries(x)
    none <- lapply(there, function(keys) character())
    if (identical(keep, "all")) return(there)
    wanted <- .keepList(keep, call)
    alias <- .slotAliases[[.containerClass(x)]]
    slots <- names(wanted)
    known <- slots %in% names(alias)
    slots[known] <- alias[slots[known]]
    if (!all(slots %in% names(there))) {
        gone <- setdiff(slots, names(there))
        .missingKey("slot", gone, names(there), call = call)
    }
    for (i in seq_along(slots)) {
        keys <- wanted[[i]]
        of <- there[[slots[i]]]
        if (is.null(keys)) keys <- of
        if (!all(keys %in% of)) {
            .missingKey(
                paste0("entry of `", slots[i], "`"), setdiff(keys, of), of,
                call = call
            )
        }
        none[[slots[i]]] <- union(none[[slots[i]]], keys)
    }
    none
}

# Slots with their keys, NULL for all of a slot.
.keepList <- function(keep, call) {
    if (is.character(keep) && is.null(names(keep)) && !anyNA(keep)) {
        return(stats::setNames(vector("list", length(keep)), keep))
    }
    if (is.list(keep) && !length(keep)) return(list())
    fine <- is.list(keep) && !is.null(names(keep)) &&
        all(nzchar(names(keep))) &&
        all(vapply(keep, function(keys) {
            is.null(keys) || identical(keys, TRUE) ||
                (is.character(keys) && !anyNA(keys))
        }, logical(1)))
    if (!fine) {
        .badType(keep, paste(
            "\"all\", names of slots, or a list of keys named by slot"
        ), TRUE, "keep", call)
    }
    lapply(keep, function(keys) if (is.character(keys)) enc2utf8(keys))
}

# ---- SingleCellExperiment ----

#' @importFrom SingleCellExperiment altExps altExps<- colPairs colPairs<-
#' @importFrom SingleCellExperiment reducedDims reducedDims<-
#' @importFrom SummarizedExperiment assays assays<-
setMethod(".slotEntries", "SingleCellExperiment", function(x) {
    list(
        assays = .assayNames(x), colData = .cellDataNames(x),
        rowData = .featureDataNames(x), reducedDims = .embeddingNames(x),
        colPairs = .graphNames(x), altExps = as.character(altExpNames(x)),
        metadata = names(.readMisc(x))
    )
})
setMethod(".keepEntries", "SingleCellExperiment", function(x, keep) {
    assays(x, withDimnames = FALSE) <- assays(
        x, withDimnames = FALSE
    )[keep$assays]
    colData(x) <- colData(x)[, keep$colData, drop = FALSE]
    rowData(x) <- rowData(x)[, keep$rowData, drop = FALSE]
    reducedDims(x) <- reducedDims(x)[keep$reducedDims]
    colPairs(x) <- colPairs(x)[keep$colPairs]
    altExps(x) <- altExps(x)[keep$altExps]
    .writeMisc(x, .readMisc(x)[keep$metadata])
})

# ---- Seurat ----

setMethod(".slotEntries", "Seurat", function(x) {
    list(
        assays = .assayNames(x), meta.data = .cellDataNames(x),
        meta.features = .featureDataNames(x), reductions = .embeddingNames(x),
        graphs = .graphNames(x),
        images = as.character(names(slot(x, "images"))),
        tools = as.character(names(slot(x, "tools"))),
        misc = as.character(names(.readMisc(x)))
    )
})
setMethod(".keepEntries", "Seurat", function(x, keep) {
    name <- .seuratAssayName(x, NULL)
    a <- .keepLayers(slot(x, "assays")[[name]], keep$assays)
    table <- slot(a, .featureSlot(a))
    slot(a, .featureSlot(a), check = FALSE) <- table[keep$meta.features]
    others <- intersect(names(slot(x, "assays")), c(name, keep$assays))
    slot(x, "assays", check = FALSE) <- slot(x, "assays")[others]
    x <- .setEntry(x, "assays", name, a)
    slot(x, "meta.data", check = FALSE) <- slot(x, "meta.data")[keep$meta.data]
    where <- c(
        reductions = "reductions", graphs = "graphs", neighbors = "graphs",
        images = "images", tools = "tools", misc = "misc"
    )
    for (at in names(where)) {
        entries <- slot(x, at)
        kept <- intersect(names(entries), keep[[where[[at]]]])
        slot(x, at, check = FALSE) <- entries[kept]
    }
    slot(x, "commands", check = FALSE) <- list()
    x
})

# An assay cannot be without a layer: where none is kept, one of zeros stands
# for the features and cells. One with slots needs `data`, which is the counts
# when there is nothing else, as in any assay that is not normalised.
.keepLayers <- function(a, layers) {
    parts <- .layerParts(a)
    kept <- unique(unlist(lapply(
        intersect(layers, .layerNames(a)), .partsOf, a = a
    )))
    zeros <- Matrix::sparseMatrix(
        i = integer(), j = integer(), x = numeric(), dims = dim(a),
        dimnames = list(rownames(a), colnames(a))
    )
    if (!.isLayered(a)) {
        for (part in setdiff(parts, c(kept, "data"))) {
            slot(a, part) <- methods::new("matrix")
        }
        if (!"data" %in% kept) {
            slot(a, "data") <- if ("counts" %in% kept) {
                slot(a, "counts")
            } else {
                zeros
            }
        }
        return(a)
    }
    if (!length(kept)) {
        a <- .setLayer(a, "counts", zeros)
        kept <- "counts"
    }
    a <- .seuratFive("DefaultLayer<-")(a, value = kept[1L])
    for (part in setdiff(.layerParts(a), kept)) a <- .setLayer(a, part, NULL)
    a
}
