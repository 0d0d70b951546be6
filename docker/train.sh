#!/bin/sh
# From MovieLens 100K to a bundle in /models. Every step that is finished leaves a record and is not done again, and a
# step that was interrupted goes on where it was: after a kill, just start again.
set -eu

models=${MODELS:-/models}
work=${WORK:-/work}/movielens-100k
configs=${CONFIGS:-/app/configs}/movielens-100k

if [ -e "$models/bundle" ] && python -m service check "$models/bundle"; then
  echo "nothing to do"
  exit 0
fi

# step NUMBER RECORD COMMAND...: run it, unless its record is there.
step() {
  number=$1 record=$2
  shift 2
  if [ -e "$record" ]; then
    echo "$number/6 done before: $record"
  else
    echo "$number/6 $*"
    "$@"
  fi
}

step 1 "$work/data/dataset.json" python -m training prepare movielens-100k --out "$work/data"
step 2 "$work/pretrained/model.json" python -m training pretrain unisrec --data "$work/data" \
  --config "$configs/teacher.toml" --out "$work/pretrained"
step 3 "$work/teacher/model.json" python -m training finetune unisrec --data "$work/data" \
  --init "$work/pretrained" --config "$configs/teacher.toml" --out "$work/teacher"
step 4 "$work/knowledge/knowledge.json" python -m training gather --data "$work/data" \
  --teacher "$work/teacher" --ease --out "$work/knowledge"
step 5 "$work/student/model.json" python -m training distill sasrec --data "$work/data" \
  --knowledge "$work/knowledge" --config "$configs/student.toml" --out "$work/student"

# The histories go first: when the bundle is there, everything is.
cp "$work/data/interactions.csv.gz" "$models/.interactions.csv.gz"
mv "$models/.interactions.csv.gz" "$models/interactions.csv.gz"
echo "6/6 exporting"
python -m export "$work/student" "$models/bundle" --data "$work/data"
python -m service check "$models/bundle"
