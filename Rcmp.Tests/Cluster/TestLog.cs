using Microsoft.Extensions.Logging;

namespace Rcmp.Tests.Cluster;

/// <summary>Writes logs into the test's output, when RCMP_TEST_LOG is set.</summary>
internal sealed class TestLog : ILoggerFactory
{
    public static ILoggerFactory? FromEnvironment() => Environment.GetEnvironmentVariable("RCMP_TEST_LOG") is null ? null : new TestLog();

    public ILogger CreateLogger(string categoryName) => new Logger(categoryName);

    public void AddProvider(ILoggerProvider provider) => throw new NotSupportedException();

    public void Dispose()
    {
    }

    private sealed class Logger(string category) : ILogger
    {
        public IDisposable? BeginScope<TState>(TState state)
            where TState : notnull => null;

        public bool IsEnabled(LogLevel logLevel) => true;

        public void Log<TState>(LogLevel logLevel, EventId eventId, TState state, Exception? exception, Func<TState, Exception?, string> formatter) =>
            Console.Error.WriteLine($"{DateTime.UtcNow:HH:mm:ss.fff} {logLevel} {category}: {formatter(state, exception)} {exception}");
    }
}
