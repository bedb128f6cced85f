# A camera to try things with: the demo's video without end, at rtsp://HOST:8554/street.
ARG CAMERA_IMAGE=bluenviron/mediamtx:1.9.3-ffmpeg
FROM ${CAMERA_IMAGE}

# A key frame every second, because a reader sees nothing before the first one, and no B-frames,
# which cameras do not send. Done once here: the stream itself is then copied, which costs nothing.
COPY demo/pedestrians.mp4 /
RUN ffmpeg -hide_banner -loglevel error -i /pedestrians.mp4 -an \
        -c:v libx264 -preset veryfast -g 10 -bf 0 -pix_fmt yuv420p /street.mp4 \
    && rm /pedestrians.mp4

# Each variable is a key of mediamtx.yml; what is not RTSP is switched off.
ENV MTX_RTMP=no MTX_HLS=no MTX_WEBRTC=no MTX_SRT=no \
    MTX_PATHS_STREET_RUNONINITRESTART=yes \
    MTX_PATHS_STREET_RUNONINIT="ffmpeg -hide_banner -loglevel error -re -stream_loop -1 -i /street.mp4 -c copy -f rtsp -rtsp_transport tcp rtsp://127.0.0.1:8554/street"

USER nobody
EXPOSE 8554
HEALTHCHECK --interval=15s --timeout=15s --start-period=30s \
    CMD ["ffprobe", "-loglevel", "error", "-rtsp_transport", "tcp", "rtsp://127.0.0.1:8554/street"]
