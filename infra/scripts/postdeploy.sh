#!/bin/sh
# Subscribes the deployed functions to the events of ACS, and warms the first instance.
# azd gives its environment to hooks; outside of one: eval "$(azd env get-values)" first.
set -eu

: "${AZURE_RESOURCE_GROUP:?run by azd, or after: eval \"\$(azd env get-values)\"}"
: "${AZURE_FUNCTION_APP_NAME:?}" "${EVENT_TOPIC_NAME:?}" "${DEAD_LETTER_STORAGE_NAME:?}"
folder=$(CDPATH='' cd -- "$(dirname -- "$0")/.." && pwd)

# ARM lists the functions some time after the package is there, and refuses what it does not know.
attempt=1
until az deployment group create --only-show-errors --output none \
    --resource-group "$AZURE_RESOURCE_GROUP" \
    --name voice-agent-events \
    --template-file "$folder/events.bicep" \
    --parameters \
        functionAppName="$AZURE_FUNCTION_APP_NAME" \
        topicName="$EVENT_TOPIC_NAME" \
        deadLetterStorageName="$DEAD_LETTER_STORAGE_NAME" \
        calledNumbers="${CALLED_NUMBERS:-[]}"
do
    if [ "$attempt" -ge 6 ]; then
        echo "The event subscriptions could not be created; run this script again." >&2
        exit 1
    fi
    echo "The functions are not listed yet (attempt $attempt of 6), trying again ..."
    attempt=$((attempt + 1))
    sleep "${RETRY_S:-20}"
done
echo "Calls and recordings of the ACS resource now reach $AZURE_FUNCTION_APP_NAME."

if [ -n "${PUBLIC_BASE_URL:-}" ]; then
    curl --silent --show-error --max-time 60 "$PUBLIC_BASE_URL/api/health/ready" || true
    echo
fi
