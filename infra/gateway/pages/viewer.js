// Starts the viewer. Everything that the viewer shows or calls is on its own origin.
window.addEventListener('load', () => {
  window.SwaggerUIBundle({
    dom_id: '#swagger-ui',
    urls: [
      { name: 'Auth', url: 'openapi/auth.json' },
      { name: 'Tasks', url: 'openapi/tasks.json' },
      { name: 'Notifications', url: 'openapi/notifications.json' },
    ],
    presets: [window.SwaggerUIBundle.presets.apis, window.SwaggerUIStandalonePreset],
    layout: 'StandaloneLayout',
    validatorUrl: null, // the default asks a server elsewhere
    deepLinking: true,
    tryItOutEnabled: true,
    displayRequestDuration: true,
  });
});
