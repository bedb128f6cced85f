#!/usr/bin/env bash
# Without an NVIDIA driver, install the CPU builds of torch and torchvision: gigabytes less than the
# default builds for Linux on x86_64, which are for CUDA. Where no index has them in the versions of
# requirements.txt, install nothing: the default builds come with the other requirements.
#   demo/torch_build.sh PYTHON [INDEX]    INDEX is searched beside the package index that pip uses
set -euo pipefail
cd "$(dirname "$0")/.."
python=$1 index=${2-}
SEARCH_LIMIT_S=20  # of the search as a whole: an index that does not answer must not hold up the user

version_of() {
	sed -nE "s/^$1==([^ ;#]+).*/\1/p" requirements.txt
}

has_nvidia_driver() {
	[ -e /proc/driver/nvidia/version ] || nvidia-smi >/dev/null 2>&1
}

has_builds() {
	local found
	found=$(timeout "$SEARCH_LIMIT_S" "${pip[@]}" index versions torch --retries 0 --timeout 5 \
		"${indexes[@]}" 2>/dev/null) || return
	tr -s ', ' '\n' <<<"$found" | grep -xF "$torch" >/dev/null
}

torch=$(version_of torch)+cpu torchvision=$(version_of torchvision)+cpu
indexes=()
[ -z "$index" ] || indexes=(--extra-index-url "$index")
pip=("$python" -m pip --disable-pip-version-check)

if has_nvidia_driver; then
	echo "torch: an NVIDIA driver is here, taking the default builds"
elif [ "$(uname -sm)" != "Linux x86_64" ]; then
	echo "torch: taking the default builds of $(uname -sm)"
elif ! has_builds; then
	echo "torch: no index here has $torch, taking the default builds (for CUDA, several GB; they run on a CPU, too)"
elif "${pip[@]}" install --quiet "${indexes[@]}" "torch==$torch" "torchvision==$torchvision"; then
	echo "torch: no NVIDIA driver is here, took the CPU builds ($torch)"
else
	echo "torch: the CPU builds ($torch) could not be installed, taking the default builds"
fi
