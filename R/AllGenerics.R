# Every generic of the package, in the order of the analysis. Each forces the
# argument it dispatches on: an error in a pipe before it would otherwise lose
# its class, since dispatch reports it as one of its own.

# Internal ---------------------------------------------------------------------
# The adapter generics stand in container.R, with their contract.

# Records ----------------------------------------------------------------------

#' @rdname parameters
#' @export
setGeneric("parameters", function(x, key, ...) {
    force(x)
    standardGeneric("parameters")
}, signature = "x")

#' @rdname parameters
#' @export
setGeneric("fateHistory", function(x, ...) {
    force(x)
    standardGeneric("fateHistory")
})

# Kernels ----------------------------------------------------------------------

#' @rdname computeTransitionMatrix
#' @export
setGeneric("computeTransitionMatrix", function(kernel, ...) {
    force(kernel)
    standardGeneric("computeTransitionMatrix")
}, signature = "kernel")

#' @rdname transitionMatrix
#' @export
setGeneric("transitionMatrix", function(x, ...) {
    force(x)
    standardGeneric("transitionMatrix")
}, signature = "x")

#' @rdname invertKernel
#' @export
setGeneric("invertKernel", function(kernel) {
    force(kernel)
    standardGeneric("invertKernel")
})

#' @rdname writeToObject
#' @export
setGeneric("writeToObject", function(x, key = NULL, ...) {
    force(x)
    standardGeneric("writeToObject")
}, signature = "x")

#' @rdname writeToObject
#' @export
setGeneric("fromObject", function(object, key = NULL, ...) {
    force(object)
    standardGeneric("fromObject")
}, signature = "object")

#' @rdname kernels
#' @export
setGeneric("kernels", function(x, ...) {
    force(x)
    standardGeneric("kernels")
})

#' @rdname kernels
#' @export
setGeneric("isBackward", function(x, ...) {
    force(x)
    standardGeneric("isBackward")
})

#' @rdname container
#' @export
setGeneric("container", function(x, ...) {
    force(x)
    standardGeneric("container")
})

#' @rdname SimilarityScheme
#' @export
setGeneric("computeSimilarity", function(scheme, v, D, softmax_scale = 1,
                                         ...) {
    force(scheme)
    standardGeneric("computeSimilarity")
}, signature = "scheme")

#' @rdname SimilarityScheme
#' @export
setGeneric("hessian", function(scheme, v, D, softmax_scale = 1, ...) {
    force(scheme)
    standardGeneric("hessian")
}, signature = "scheme")

#' @rdname computeProjection
#' @export
setGeneric("computeProjection", function(x, ...) {
    force(x)
    standardGeneric("computeProjection")
}, signature = "x")

#' @rdname ThresholdScheme
#' @export
setGeneric("biasKnn", function(scheme, conn, pseudotime, ...) {
    force(scheme)
    standardGeneric("biasKnn")
}, signature = "scheme")

#' @rdname computeCytotrace
#' @export
setGeneric("computeCytotrace", function(x, ...) {
    force(x)
    standardGeneric("computeCytotrace")
}, signature = "x")

#' @rdname computeCoupling
#' @export
setGeneric("computeCoupling", function(kernel, source, target, ...) {
    force(kernel)
    standardGeneric("computeCoupling")
}, signature = "kernel")

# Estimators -------------------------------------------------------------------

#' @rdname computeSchur
#' @export
setGeneric("computeSchur", function(estimator, ...) {
    force(estimator)
    standardGeneric("computeSchur")
}, signature = "estimator")

#' @rdname computeEigendecomposition
#' @export
setGeneric("computeEigendecomposition", function(estimator, ...) {
    force(estimator)
    standardGeneric("computeEigendecomposition")
}, signature = "estimator")

#' @rdname computeMacrostates
#' @export
setGeneric("computeMacrostates", function(estimator, ...) {
    force(estimator)
    standardGeneric("computeMacrostates")
}, signature = "estimator")

#' @rdname predictTerminalStates
#' @export
setGeneric("predictTerminalStates", function(estimator, ...) {
    force(estimator)
    standardGeneric("predictTerminalStates")
}, signature = "estimator")

#' @rdname setTerminalStates
#' @export
setGeneric("setTerminalStates", function(estimator, states = NULL, ...) {
    force(estimator)
    standardGeneric("setTerminalStates")
}, signature = "estimator")

#' @rdname setTerminalStates
#' @export
setGeneric("setInitialStates", function(estimator, states = NULL, ...) {
    force(estimator)
    standardGeneric("setInitialStates")
}, signature = "estimator")

#' @rdname predictInitialStates
#' @export
setGeneric("predictInitialStates", function(estimator, ...) {
    force(estimator)
    standardGeneric("predictInitialStates")
}, signature = "estimator")

#' @rdname renameTerminalStates
#' @export
setGeneric("renameTerminalStates", function(estimator, new_names, ...) {
    force(estimator)
    standardGeneric("renameTerminalStates")
}, signature = "estimator")

#' @rdname renameTerminalStates
#' @export
setGeneric("renameInitialStates", function(estimator, new_names, ...) {
    force(estimator)
    standardGeneric("renameInitialStates")
}, signature = "estimator")

#' @rdname computeFateProbabilities
#' @export
setGeneric("computeFateProbabilities", function(estimator, ...) {
    force(estimator)
    standardGeneric("computeFateProbabilities")
}, signature = "estimator")

#' @rdname computeAbsorptionTimes
#' @export
setGeneric("computeAbsorptionTimes", function(estimator, ...) {
    force(estimator)
    standardGeneric("computeAbsorptionTimes")
}, signature = "estimator")

#' @rdname primingDegree
#' @export
setGeneric("computeLineagePriming", function(estimator, ...) {
    force(estimator)
    standardGeneric("computeLineagePriming")
}, signature = "estimator")

#' @rdname computeLineageDrivers
#' @export
setGeneric("computeLineageDrivers", function(estimator, ...) {
    force(estimator)
    standardGeneric("computeLineageDrivers")
}, signature = "estimator")

#' @rdname computeTsi
#' @export
setGeneric("computeTsi", function(estimator, n_macrostates, ...) {
    force(estimator)
    standardGeneric("computeTsi")
}, signature = "estimator")

#' @rdname bootstrapFates
#' @export
setGeneric("bootstrapFates", function(estimator, ...) {
    force(estimator)
    standardGeneric("bootstrapFates")
}, signature = "estimator")

#' @rdname bootstrapFates
#' @export
setGeneric("fateUncertainty", function(x, ...) {
    force(x)
    standardGeneric("fateUncertainty")
})

# Accessors, for estimators and containers alike
# ---------------------------------

#' @rdname accessors
#' @export
setGeneric("eigenvalues", function(x, ...) {
    force(x)
    standardGeneric("eigenvalues")
})

#' @rdname accessors
#' @export
setGeneric("schurVectors", function(x, ...) {
    force(x)
    standardGeneric("schurVectors")
})

#' @rdname accessors
#' @export
setGeneric("macrostates", function(x, ...) {
    force(x)
    standardGeneric("macrostates")
})

#' @rdname accessors
#' @export
setGeneric("memberships", function(x, ...) {
    force(x)
    standardGeneric("memberships")
})

#' @rdname computeTsi
#' @export
setGeneric("tsi", function(x, ...) {
    force(x)
    standardGeneric("tsi")
})

#' @rdname accessors
#' @export
setGeneric("coarseTransition", function(x, ...) {
    force(x)
    standardGeneric("coarseTransition")
})

#' @rdname accessors
#' @export
setGeneric("stationaryDistribution", function(x, ...) {
    force(x)
    standardGeneric("stationaryDistribution")
})

#' @rdname accessors
#' @export
setGeneric("terminalStates", function(x, ...) {
    force(x)
    standardGeneric("terminalStates")
})

#' @rdname accessors
#' @export
setGeneric("initialStates", function(x, ...) {
    force(x)
    standardGeneric("initialStates")
})

#' @rdname accessors
#' @export
setGeneric("fateProbabilities", function(x, ...) {
    force(x)
    standardGeneric("fateProbabilities")
})

#' @rdname accessors
#' @export
setGeneric("absorptionTimes", function(x, ...) {
    force(x)
    standardGeneric("absorptionTimes")
})

#' @rdname primingDegree
#' @export
setGeneric("primingDegree", function(x, ...) {
    force(x)
    standardGeneric("primingDegree")
}, signature = "x")

#' @rdname accessors
#' @export
setGeneric("drivers", function(x, lineage = NULL, ...) {
    force(x)
    standardGeneric("drivers")
}, signature = "x")

#' @rdname accessors
#' @export
setGeneric("lineageNames", function(x, ...) {
    force(x)
    standardGeneric("lineageNames")
})

#' @rdname accessors
#' @export
setGeneric("lineageColors", function(x, ...) {
    force(x)
    standardGeneric("lineageColors")
})

#' @rdname Lineage
#' @export
setGeneric("lineageNames<-", function(x, ..., value) {
    force(x)
    standardGeneric("lineageNames<-")
}, signature = "x")

#' @rdname Lineage
#' @export
setGeneric("lineageColors<-", function(x, ..., value) {
    force(x)
    standardGeneric("lineageColors<-")
}, signature = "x")

#' @rdname certificates
#' @export
setGeneric("certificates", function(x, ...) {
    force(x)
    standardGeneric("certificates")
})
