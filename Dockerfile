# Reveille in a container. docs/running-with-docker.md says how, and what a container changes for running agents.
ARG NODE_VERSION=22

FROM node:${NODE_VERSION}-bookworm-slim AS build
WORKDIR /app
COPY package.json package-lock.json .npmrc ./
# No package needs its install script: the native ones bring their binaries along.
RUN npm ci --ignore-scripts --no-audit --no-fund
COPY . .
RUN npm run build && npm prune --omit=dev --ignore-scripts --no-audit --no-fund

FROM node:${NODE_VERSION}-bookworm-slim
# What agents find beside Node and /bin/sh. tini reaps what they leave behind, and passes signals on.
ARG AGENT_PACKAGES="git ca-certificates curl"
RUN apt-get update \
  && apt-get install -y --no-install-recommends tini ${AGENT_PACKAGES} \
  && rm -rf /var/lib/apt/lists/*
WORKDIR /app
COPY --from=build /app/package.json ./
COPY --from=build /app/node_modules ./node_modules
COPY --from=build /app/bin ./bin
COPY --from=build /app/scripts ./scripts
COPY --from=build /app/dist ./dist
RUN ln -s /app/bin/reveille.mjs /usr/local/bin/reveille \
  && install -d -o node -g node -m 0700 /data \
  && install -d -o node -g node /work
USER node
ENV NODE_ENV=production REVEILLE_HOST=0.0.0.0 REVEILLE_DATA_DIR=/data
VOLUME /data
EXPOSE 7717
HEALTHCHECK --interval=10s --timeout=8s --start-period=90s --retries=3 \
  CMD ["node", "-e", "fetch('http://127.0.0.1:7717/health/ready').then(({ ok }) => process.exit(ok ? 0 : 1), () => process.exit(1))"]
ENTRYPOINT ["tini", "--", "reveille"]
CMD ["serve"]
