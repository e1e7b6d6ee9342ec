# SPDX-License-Identifier: Apache-2.0
# What operators start from: a dashboard and alarms.
deploydir = $(pkgdatadir)/deploy
dist_deploy_DATA = %D%/grafana/psyne.json %D%/prometheus/psyne.rules.yml
