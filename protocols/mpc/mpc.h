/* Everything that a program over shares needs: parties, vectors and the operations on them. */
#ifndef PL_MPC_MPC_H
#define PL_MPC_MPC_H

#include "protocols/mpc/compare.h"
#include "protocols/mpc/fixed.h"
#include "protocols/mpc/integer.h"
#include "protocols/mpc/permute.h"
#include "protocols/mpc/scan.h"
#include "protocols/mpc/sort.h"
#include "protocols/share/cost.h"
#include "protocols/share/party.h"

#endif
