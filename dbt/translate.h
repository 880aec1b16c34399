/* SPDX-License-Identifier: MIT */
/* The life of a block: decode, match rules or build, place, enter it in its page's slot. */
#ifndef ARMATURE_DBT_TRANSLATE_H
#define ARMATURE_DBT_TRANSLATE_H

#include "dbt/hir.h"
#include "dbt/vm.h"

#endif
