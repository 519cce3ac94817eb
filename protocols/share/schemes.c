#include "protocols/share/scheme.h"

#include <string.h>

const pl_scheme *pl_scheme_find(const char *name) {
    static const pl_scheme *const schemes[] = {&pl_scheme_rep3, &pl_scheme_plain};
    for (size_t i = 0; i < sizeof schemes / sizeof schemes[0]; i++) {
        if (strcmp(schemes[i]->name, name) == 0)
            return schemes[i];
    }
    return NULL;
}
