// Starts the viewer. Everything it shows or calls is on the origin that it came from.
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
