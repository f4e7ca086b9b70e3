// What Event Grid tells the app. Deployed by the postdeploy hook and not with main.bicep: ARM refuses
// a function that does not exist yet.
targetScope = 'resourceGroup'

param functionAppName string
param topicName string
param deadLetterStorageName string

@description('Only calls to these numbers (+15550001111); empty: every call of the resource.')
param calledNumbers array = []

resource site 'Microsoft.Web/sites@2025-03-01' existing = {
  name: functionAppName
}

resource topic 'Microsoft.EventGrid/systemTopics@2025-02-15' existing = {
  name: topicName
}

resource deadLetters 'Microsoft.Storage/storageAccounts@2024-01-01' existing = {
  name: deadLetterStorageName
}

var deadLetter = {
  identity: {
    type: 'SystemAssigned'
  }
  deadLetterDestination: {
    endpointType: 'StorageBlob'
    properties: {
      resourceId: deadLetters.id
      blobContainerName: 'dead-letters'
    }
  }
}

// The phone rings for thirty seconds: what comes later is a call that no longer exists.
resource incomingCall 'Microsoft.EventGrid/systemTopics/eventSubscriptions@2025-02-15' = {
  parent: topic
  name: 'incoming-call'
  properties: {
    eventDeliverySchema: 'EventGridSchema'
    destination: {
      endpointType: 'AzureFunction'
      properties: {
        resourceId: '${site.id}/functions/on_incoming_call'
        maxEventsPerBatch: 1
        preferredBatchSizeInKilobytes: 64
      }
    }
    filter: {
      includedEventTypes: [
        'Microsoft.Communication.IncomingCall'
      ]
      advancedFilters: empty(calledNumbers) ? [] : [
        {
          operatorType: 'StringIn'
          key: 'data.to.phoneNumber.value'
          values: calledNumbers
        }
      ]
    }
    retryPolicy: {
      maxDeliveryAttempts: 2
      eventTimeToLiveInMinutes: 1
    }
    deadLetterWithResourceIdentity: deadLetter
  }
}

// A recording waits for a day; there is no hurry, but it must not be lost.
resource recordingReady 'Microsoft.EventGrid/systemTopics/eventSubscriptions@2025-02-15' = {
  parent: topic
  name: 'recording-ready'
  properties: {
    eventDeliverySchema: 'EventGridSchema'
    destination: {
      endpointType: 'AzureFunction'
      properties: {
        resourceId: '${site.id}/functions/on_recording_ready'
        maxEventsPerBatch: 1
        preferredBatchSizeInKilobytes: 64
      }
    }
    filter: {
      includedEventTypes: [
        'Microsoft.Communication.RecordingFileStatusUpdated'
      ]
    }
    retryPolicy: {
      maxDeliveryAttempts: 10
      eventTimeToLiveInMinutes: 720
    }
    deadLetterWithResourceIdentity: deadLetter
  }
}
