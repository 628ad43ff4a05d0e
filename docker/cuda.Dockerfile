# docker build -f docker/cuda.Dockerfile --build-arg ARCHITECTURES=8.6 -t lamotr_mm:cuda .
# As cpu.Dockerfile, with mmcv's CUDA kernels; running needs NVIDIA's container toolkit on the host.
FROM nvidia/cuda:13.0.2-devel-ubuntu24.04 AS cuda

FROM python:3.11.14-slim-bookworm AS build

SHELL ["/bin/bash", "-o", "pipefail", "-c"]
# versions of Debian's packages go with the tag above
# hadolint ignore=DL3008
RUN apt-get update \
    && apt-get install -y --no-install-recommends g++ make \
    && rm -rf /var/lib/apt/lists/*
# nvcc, of the CUDA version that torch below is built for; torch brings the libraries
COPY --from=cuda /usr/local/cuda-13.0 /usr/local/cuda
ENV CUDA_HOME=/usr/local/cuda FORCE_CUDA=1

WORKDIR /opt/lamotr_mm
ARG TORCH="torch==2.13.0 --index-url https://download.pytorch.org/whl/cu130"
# of the GPUs that will run it; each takes minutes more to compile
ARG ARCHITECTURES="8.0 8.6 8.9 9.0+PTX"
# what takes minutes, mmcv's compilation, before what changes often
COPY Makefile requirements.txt ./
COPY requirements requirements
COPY tools/build_mmcv.sh tools/
RUN TORCH_CUDA_ARCH_LIST="$ARCHITECTURES" \
    make VENV=/opt/venv TORCH="$TORCH" PIP_FLAGS=--no-cache-dir /opt/venv/stamps/mmcv
# a layer of its own: mmcv stays compiled when a requirement changes
# hadolint ignore=DL3059
RUN /opt/venv/bin/pip install --no-cache-dir \
    -r requirements.txt -r requirements/results.txt -c requirements/constraints.txt
COPY . .
RUN /opt/venv/bin/pip install --no-cache-dir --no-deps --no-build-isolation .

FROM python:3.11.14-slim-bookworm
# OpenCV's libraries
# hadolint ignore=DL3008
RUN apt-get update \
    && apt-get install -y --no-install-recommends libgl1 libglib2.0-0 \
    && rm -rf /var/lib/apt/lists/* \
    && useradd --create-home --uid 1000 tracker
COPY --from=build /opt/venv /opt/venv
ENV PATH="/opt/venv/bin:$PATH" OMP_NUM_THREADS=1
USER 1000
WORKDIR /data
ENTRYPOINT ["lamotr"]
CMD ["--help"]
