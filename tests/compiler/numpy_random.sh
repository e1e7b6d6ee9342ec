#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Random programs give what an interpreter of their text gives that is written with NumPy, from doc/language.md alone; and what is
# wrong in one of its functions is noticed, so that each of them is really compared. PSYNE_TEST_RANDOM=N: N programs of each kind,
# PSYNE_TEST_SEED=S: from seed S.
. "${PSYNE_SOURCE:?}/tests/compiler/shell.sh"
case ${PSYNE_SANITIZERS-} in *thread*) count=30 ;; *) count=300 ;; esac # threads have nothing to race for here
count=${PSYNE_TEST_RANDOM:-$count} from=${PSYNE_TEST_SEED:-1}
part=300 # programs of each kind that lie on disk at once
export PYTHONDONTWRITEBYTECODE=1

find_numpy
if [ -z "$python" ]; then
    skip 'random programs against NumPy' 'python3-numpy is not installed'
    finish
    exit
fi

write() { # seed, number
    rm -rf programs && mkdir programs
    PSYNE_RANDOM_FOLDER=programs PSYNE_TEST_SEED=$1 PSYNE_TEST_RANDOM=$2 "$build/tests/compiler/write_random_hrm" >out 2>err
}
compare() { "$python" "$source/tests/compiler/numpy_random.py" "$@" programs >err 2>&1; }

for ((seed = from; seed < from + count; seed += part)); do
    number_of=$((from + count - seed < part ? from + count - seed : part))
    these="seeds $seed to $((seed + number_of - 1)) of each kind"
    write "$seed" "$number_of"
    ok "$these: written" is $? 0
    compare
    status=$?
    ok "$these: $(tail -n 1 err)" is $status 0
done
if [ "$count" -ge $part ]; then # fewer have not all functions in them
    write "$from" $part
    compare --planted
    status=$?
    ok "planted mistakes: $(tail -n 1 err)" is $status 0
fi
finish
