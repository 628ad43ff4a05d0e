# docker build -f docker/cpu.Dockerfile -t lamotr_mm .      docs/install.md says how to run it
FROM python:3.11.14-slim-bookworm AS build

SHELL ["/bin/bash", "-o", "pipefail", "-c"]
# versions of Debian's packages go with the tag above
# hadolint ignore=DL3008
RUN apt-get update \
    && apt-get install -y --no-install-recommends g++ make \
    && rm -rf /var/lib/apt/lists/*

WORKDIR /opt/lamotr_mm
ARG TORCH="torch==2.13.0 --index-url https://download.pytorch.org/whl/cpu"
# what takes minutes, mmcv's compilation, before what changes often
COPY Makefile requirements.txt ./
COPY requirements requirements
COPY tools/build_mmcv.sh tools/
RUN make VENV=/opt/venv TORCH="$TORCH" PIP_FLAGS=--no-cache-dir /opt/venv/stamps/mmcv
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
