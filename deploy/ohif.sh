#!/bin/sh
# The viewer that coordinators may use beside ours, for the one test that shows our DICOMweb in it (make validate).
# Never installed and never shipped; without a way to the package the test is skipped and says so.
set -eu
VERSION=3.13.2
SHA256=b189d3963bfc58e9394a9db8c7be75d07beb029ec211dbb126d47b62969dd3f1
FOLDER=.ohif
test -f "$FOLDER/$VERSION" && exit 0
echo "Fetching the published build of OHIF $VERSION (50 MB) for its test"
mkdir -p "$FOLDER"
name=$(cd "$FOLDER" && npm pack --silent "@ohif/app@$VERSION")
echo "$SHA256  $FOLDER/$name" | sha256sum --check --quiet
tar -xzf "$FOLDER/$name" -C "$FOLDER"
rm "$FOLDER/$name"
touch "$FOLDER/$VERSION"
