/*
 * quantity.h - resource.Quantity: "500m", "1.5", "2Gi", "1e3", "3E".
 *
 * Grammar: k8s.io/apimachinery/pkg/api/resource/quantity.go. Decimal suffixes n u m k M G T P E,
 * binary Ki Mi Gi Ti Pi Ei, exponent e3 / E-3; "1.", ".5" and a sign are allowed; white space is
 * not. "1E" is one exa, "1E3" is a thousand.
 */
#ifndef ECILET_SPEC_QUANTITY_H
#define ECILET_SPEC_QUANTITY_H

#include "base/err.h"
#include "base/str.h"

/*
 * In thousandths, exact; what is finer than a thousandth is rounded away from zero, as Kubernetes'
 * MilliValue() does.
 *
 * Errors: ERR_BAD_INPUT when it is no quantity; ERR_TOO_BIG when it does not fit into 63 bits
 * (9.2e15, or 8191 Ti). out is unchanged on failure.
 */
MUST_USE enum err quantity_parse_milli(str text, int64_t *out);

#endif
