# The adapter contract: what every container can be asked for, in terms of
# cells, features and keys. Each class implements it in one file; nothing else
# names a slot, an assay or a layer.
#
# A bare matrix is a container for reading. Its rows are cells: a square matrix
# is read as a graph, any matrix as an embedding; row names are the cell names
# (`cell1`, `cell2`, ... when there are none) and column names the features. It
# holds no columns, records or assays, and nothing can be written to it.

#' @importFrom methods setGeneric setMethod is
setGeneric(".containerClass", function(x) standardGeneric(".containerClass"))
setGeneric(".cellNames", function(x) standardGeneric(".cellNames"))
setGeneric(
    ".featureNames",
    function(x, experiment = NULL) standardGeneric(".featureNames"),
    signature = "x"
)

# Expression: features x cells, named, in the class it is stored in.
setGeneric(
    ".readAssay",
    function(x, assay = NULL, features = NULL, experiment = NULL) {
        standardGeneric(".readAssay")
    },
    signature = "x"
)
setGeneric(
    ".assayNames",
    function(x, experiment = NULL) standardGeneric(".assayNames"),
    signature = "x"
)
setGeneric(
    ".writeAssay",
    function(x, assay, matrix, experiment = NULL) {
        standardGeneric(".writeAssay")
    },
    signature = "x"
)

# Embeddings: cells x dimensions, plain double matrices.
setGeneric(
    ".readEmbedding",
    function(x, key, experiment = NULL) standardGeneric(".readEmbedding"),
    signature = "x"
)
setGeneric(
    ".embeddingNames",
    function(x, experiment = NULL) standardGeneric(".embeddingNames"),
    signature = "x"
)
setGeneric(
    ".writeEmbedding",
    function(x, key, matrix, experiment = NULL) {
        standardGeneric(".writeEmbedding")
    },
    signature = "x"
)

# Graphs: dgCMatrix, cells x cells; entry [i, j] is the edge from i to j.
setGeneric(
    ".readGraph",
    function(x, key, experiment = NULL) standardGeneric(".readGraph"),
    signature = "x"
)
setGeneric(
    ".graphNames",
    function(x, experiment = NULL) standardGeneric(".graphNames"),
    signature = "x"
)
setGeneric(
    ".writeGraph",
    function(x, key, matrix, experiment = NULL) {
        standardGeneric(".writeGraph")
    },
    signature = "x"
)

# Neighbour distances: list of two n x m matrices, `indices` (counted from one)
# and `distances`, nearest first, padded with NA; the cell itself is left out.
setGeneric(
    ".readDistances",
    function(x, key) standardGeneric(".readDistances"),
    signature = "x"
)
setGeneric(
    ".writeDistances",
    function(x, key, indices, distances) standardGeneric(".writeDistances"),
    signature = "x"
)

# Columns of cells and of features.
setGeneric(
    ".readCellData",
    function(x, column) standardGeneric(".readCellData"),
    signature = "x"
)
setGeneric(".cellDataNames", function(x) standardGeneric(".cellDataNames"))
setGeneric(
    ".writeCellData",
    function(x, values) standardGeneric(".writeCellData"),
    signature = "x"
)
setGeneric(
    ".readFeatureData",
    function(x, column, experiment = NULL) {
        standardGeneric(".readFeatureData")
    },
    signature = "x"
)
setGeneric(
    ".featureDataNames",
    function(x, experiment = NULL) standardGeneric(".featureDataNames"),
    signature = "x"
)
setGeneric(
    ".writeFeatureData",
    function(x, values, experiment = NULL) {
        standardGeneric(".writeFeatureData")
    },
    signature = "x"
)

# Free-form entries: a plain named list; of equal names the first counts.
setGeneric(".readMisc", function(x) standardGeneric(".readMisc"))
setGeneric(
    ".writeMisc",
    function(x, misc) standardGeneric(".writeMisc"),
    signature = "x"
)

# Makes a column the labels that the object's own tools look at first.
setGeneric(
    ".activateLabels",
    function(x, key) standardGeneric(".activateLabels"),
    signature = "x"
)

# Takes stored results away, in every slot.
setGeneric(
    ".dropResults",
    function(x, keys) standardGeneric(".dropResults"),
    signature = "x"
)

# The object with these features only, in the order it has them in.
setGeneric(
    ".keepFeatures",
    function(x, features, experiment = NULL) standardGeneric(".keepFeatures"),
    signature = "x"
)
