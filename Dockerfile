FROM python:3.11-slim
RUN apt-get update && apt-get install -y --no-install-recommends libgomp1 libpango-1.0-0 libpangoft2-1.0-0 libharfbuzz-subset0 fonts-dejavu-core && rm -rf /var/lib/apt/lists/* && useradd --create-home --uid 10001 cfreader
WORKDIR /app
COPY pyproject.toml constraints.txt README.md LICENSE ./
COPY cfcore cfcore
COPY db db
COPY services services
COPY routes routes
COPY components components
COPY pages pages
COPY weights weights
COPY app.py studio.py ./
COPY .streamlit .streamlit
RUN python -m pip install --no-cache-dir --constraint constraints.txt torch==2.13.0
RUN python -m pip install --no-cache-dir --constraint constraints.txt --editable '.[postgres,sr]'
RUN mkdir /data && chown cfreader /data
ENV CFREADER_WORKSPACE=/data PYTHONUNBUFFERED=1
USER cfreader
VOLUME /data
EXPOSE 8501
HEALTHCHECK --interval=30s --timeout=5s --start-period=60s CMD python -c "import urllib.request; urllib.request.urlopen('http://127.0.0.1:8501/_stcore/health', timeout=4)"
CMD ["cfreader", "serve", "--address", "0.0.0.0"]
